"""Starts the servers that are compared: nginx with static files, and ours on a fresh data folder."""
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path

from client import Target, once

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OUT = HERE / "out"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def release():
    """The release program, built here; or the one that BENCH_PROGRAM names."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    if "BENCH_PROGRAM" in os.environ:
        return Path(os.environ["BENCH_PROGRAM"])
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--release", "-p", "artifortress"], cwd=ROOT, check=True)
    return target / "release" / "artifortress"


class Server:
    """A running process, ended with `stop`."""

    def __init__(self, command, environment=None, log=None):
        self.started = time.perf_counter()
        log = open(log, "ab") if log else subprocess.DEVNULL
        self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.pid = self.process.pid

    def wait_for(self, port, path):
        """Seconds from the launch to the first 200."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        while time.perf_counter() - self.started < 60:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                    probe.sendall(request)
                    if probe.recv(64)[9:12] == b"200":
                        return time.perf_counter() - self.started
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit(f"{self.process.args[0]} ended with {self.process.returncode}")
            time.sleep(0.0005)
        raise SystemExit(f"no answer on port {port}")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Nginx(Server):
    """Static files from a folder, without a log: the fastest common way to serve them."""

    def __init__(self, folder):
        self.port, self.files = free_port(), folder / "files"
        shutil.rmtree(folder, ignore_errors=True)
        self.files.mkdir(parents=True)
        config = folder / "nginx.conf"
        # As root the workers would become another user, who may not look into this folder.
        user = "user root;" if os.getuid() == 0 else ""
        config.write_text(f"""daemon off; worker_processes 2; {user} pid {folder}/pid; error_log {folder}/error.log crit;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 100000000;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{self.port}; root {self.files}; location = /ready {{ return 200; }} }}
}}
""")
        program = shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin")
        super().__init__([program, "-c", str(config), "-p", str(folder)])
        self.wait_for(self.port, "/ready")

    def target(self):
        return Target("nginx", self.port, self.pid)

    def keep(self, path, data):
        file = self.files / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


class Ours(Server):
    """Our program on `folder`; settings as they come, but no rate limit that a load test would meet."""

    REPOSITORY = "/repository/bench"

    def __init__(self, program, folder, backing=None, ready="/health/ready"):
        self.port, self.folder = free_port(), folder
        folder.mkdir(parents=True, exist_ok=True)
        self.bootstrap = secrets.token_hex(32)
        environment = {
            "PATH": os.environ["PATH"],
            "ARTIFORTRESS_DATA_DIR": str(folder),
            "ARTIFORTRESS_LISTEN": f"127.0.0.1:{self.port}",
            "ARTIFORTRESS_OPS_LISTEN": f"127.0.0.1:{free_port()}",
            "ARTIFORTRESS_BOOTSTRAP_TOKEN": self.bootstrap,
            "ARTIFORTRESS_RATE_REQUESTS_PER_MINUTE": "10000000",
            "ARTIFORTRESS_QUOTA_DEFAULT_STORAGE_GIB": "1000",
            "ARTIFORTRESS_PRIVATE_UPSTREAMS": "127.0.0.0/8",
            **{name: os.environ[name] for name in ("LD_PRELOAD", "BENCH_SYNC_US") if name in os.environ},
            **(backing or {}),
        }
        command = [str(program), "api" if backing else "serve"]
        if backing:
            subprocess.run([str(program), "migrate"], env=environment, check=True, capture_output=True)
        super().__init__(command, environment, folder / "bench.log")
        self.ready_after = self.wait_for(self.port, ready)
        self.token = None

    def settle(self):
        """The first token and one repository of raw files."""
        nobody = Target("ours", self.port, self.pid)
        body = json.dumps({"subject": "bench", "scopes": ["repo:*:admin", "tenant:admin"], "ttlMinutes": 1440}).encode()
        fields = {"Content-Type": "application/json", "X-Bootstrap-Token": self.bootstrap}
        self.token = json.loads(once(nobody, "POST", "/v1/auth/pats", body, fields))["token"]
        body = json.dumps({"repoKey": "bench", "format": "raw", "repoType": "local"}).encode()
        once(self.target(), "POST", "/v1/repos", body, {"Content-Type": "application/json"})

    def target(self, basic=False):
        return Target("ours", self.port, self.pid, self.REPOSITORY, self.token, basic)

    def keep(self, path, data):
        once(self.target(), "PUT", self.REPOSITORY + path, data)
