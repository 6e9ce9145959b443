"""A small load client, and what the kernel says of a process: for the workloads of this folder.

Loopback only. Python's standard library and `wrk`.
"""
import base64
import json
import os
import re
import socket
import statistics
import subprocess
import tempfile
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


class Target:
    """A server under load: where it is, who asks, and the process whose CPU and memory count."""

    def __init__(self, name, port, pid, prefix="", token=None, basic=False):
        self.name, self.port, self.pid, self.prefix = name, port, pid, prefix
        self.headers = {"Host": f"127.0.0.1:{port}"}
        if token and basic:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"bench:{token}".encode()).decode()
        elif token:
            self.headers["Authorization"] = "Bearer " + token


class Connection:
    """One keep-alive HTTP/1.1 connection; knows bodies with a length, which is all that is asked for here."""

    def __init__(self, target):
        self.target, self.left = target, b""
        self.socket = socket.create_connection(("127.0.0.1", target.port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.space = memoryview(bytearray(1 << 20))

    def close(self):
        self.socket.close()

    def head(self, method, path, headers=None, length=None):
        fields = {**self.target.headers, **(headers or {})}
        if length is not None:
            fields["Content-Length"] = str(length)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()

    def ask(self, method, path, body=None, headers=None):
        """Sends one request whole and reads the answer: (status, body when small)."""
        length = len(body) if body is not None else None
        self.socket.sendall(self.head(method, path, headers, length) + (body or b""))
        return self.answer(method)

    def send_file(self, path, file, size):
        """PUTs a file; the kernel carries the bytes, so that the client costs next to nothing."""
        self.socket.sendall(self.head("PUT", path, None, size))
        self.socket.settimeout(None)
        offset = 0
        while offset < size:
            offset += os.sendfile(self.socket.fileno(), file, offset, min(size - offset, 1 << 20))
        return self.answer("PUT")

    def answer(self, method):
        while True:
            while b"\r\n\r\n" not in self.left:
                self._more()
            head, self.left = self.left.split(b"\r\n\r\n", 1)
            status = int(head[9:12])
            if status != 100:
                break
        found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        length = int(found.group(1)) if found and method != "HEAD" and status not in (204, 304) else 0
        if length <= 1 << 16:
            while len(self.left) < length:
                self._more()
            body, self.left = self.left[:length], self.left[length:]
            return status, body
        rest = length - len(self.left)
        self.left = b""
        while rest > 0:
            got = self.socket.recv_into(self.space, min(rest, 1 << 20))
            if not got:
                raise ConnectionResetError("the body ended early")
            rest -= got
        return status, b""

    def _more(self):
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise ConnectionResetError("the connection ended")
        self.left += piece


def once(target, method, path, body=None, headers=None, expect=(200, 201, 204)):
    """One request on a connection of its own."""
    connection = Connection(target)
    try:
        status, answer = connection.ask(method, path, body, headers)
        if status not in expect:
            raise SystemExit(f"{target.name}: {method} {path} answered {status}: {answer[:300]!r}")
        return answer
    finally:
        connection.close()


def cpu_seconds(pid):
    """CPU of a process and its children so far."""
    return sum(_cpu(each) for each in family(pid))


def _cpu(pid):
    try:
        fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK
    except OSError:
        return 0


def memory_mib(pid):
    """Proportional set size of a process and its children."""
    total = 0
    for each in family(pid):
        try:
            found = re.search(r"^Pss:\s+(\d+)", open(f"/proc/{each}/smaps_rollup").read(), re.M)
            total += int(found.group(1)) if found else 0
        except OSError:
            pass
    return total / 1024


def family(pid):
    found = [pid]
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            for child in open(f"/proc/{pid}/task/{thread}/children").read().split():
                found += family(int(child))
    except OSError:
        pass
    return found


class Peak:
    """The largest memory of a process while a block runs, looked at every 20 ms."""

    def __init__(self, pid):
        self.pid, self.before, self.peak, self.over = pid, memory_mib(pid), 0, threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self):
        while not self.over.wait(0.02):
            self.peak = max(self.peak, memory_mib(self.pid))

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    @property
    def added(self):
        return max(0.0, self.peak - self.before)


def middle(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def wrk(target, connections, seconds, script=None, path="/"):
    """Load from wrk: requests a second, server CPU µs a request, errors."""
    fields = "".join(f"wrk.headers[{json.dumps(n)}]={json.dumps(v)}\n" for n, v in target.headers.items())
    report = """
        done = function(s, l) local e = s.errors
          io.write(string.format('@%d %d %d %.1f\\n', s.requests, s.duration,
            e.status + e.connect + e.read + e.write + e.timeout, l:percentile(50)))
        end"""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(fields + (script or "") + report)
        file.flush()
        before = cpu_seconds(target.pid)
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s", "-s", file.name]
        out = subprocess.run(command + [f"http://127.0.0.1:{target.port}{path}"], capture_output=True, text=True).stdout
        used = cpu_seconds(target.pid) - before
    count, micros, errors, p50 = re.search(r"@(\d+) (\d+) (\d+) ([\d.]+)", out).groups()
    count = max(int(count), 1)
    return {"value": count / (int(micros) / 1e6), "cpu": used / count * 1e6, "errors": int(errors), "p50_us": float(p50)}


def together(target, clients, seconds, operation, most=10**9):
    """`operation(connection, number)` → bytes, on `clients` connections for `seconds`: MB/s, server CPU s/GB."""
    lock, state = threading.Lock(), {"bytes": 0, "count": 0, "errors": 0}
    begin, until = threading.Barrier(clients + 1), [0.0]

    def work():
        connection = Connection(target)
        begin.wait()
        while time.perf_counter() < until[0]:
            with lock:
                number, state["count"] = state["count"], state["count"] + 1
            if number >= most:
                break
            try:
                moved = operation(connection, number)
            except (OSError, RuntimeError):
                state["errors"] += 1
                break
            with lock:
                state["bytes"] += moved
        connection.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    before, until[0] = cpu_seconds(target.pid), time.perf_counter() + seconds
    started = time.perf_counter()
    begin.wait()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    used = cpu_seconds(target.pid) - before
    moved = state["bytes"]
    return {"value": moved / took / 1e6, "cpu": used / (moved / 1e9) if moved else None, "errors": state["errors"]}
