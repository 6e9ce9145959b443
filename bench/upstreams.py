"""Repositories of other servers and of several: warm reads, indexes of members, what an upstream's distance costs."""
import asyncio
import base64
import io
import json
import os
import tarfile
import threading
import time

from client import Connection, Target, middle, once, wrk
from servers import free_port

JSON = {"Content-Type": "application/json"}
VERSIONS, MEMBERS = 100, 5
# Half a round trip between us and the upstream, in seconds.
ONE_WAY = 0.02


class Far:
    """A server behind a long line: what goes there or comes from there is under way for a while."""

    def __init__(self, port):
        self.port, self.behind, self.ready = free_port(), port, threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()
        self.ready.wait(10)

    async def serve(self):
        server = await asyncio.start_server(self.meet, "127.0.0.1", self.port)
        self.ready.set()
        await server.serve_forever()

    async def meet(self, reader, writer):
        # A connection takes one round trip before the first byte can leave.
        await asyncio.sleep(2 * ONE_WAY)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.behind)
        await asyncio.gather(self.carry(reader, far_writer), self.carry(far_reader, writer))

    async def carry(self, reader, writer):
        loop, under_way = asyncio.get_running_loop(), asyncio.Queue()

        async def deliver():
            while True:
                at, piece = await under_way.get()
                await asyncio.sleep(max(0, at - loop.time()))
                if not piece:
                    return writer.close()
                writer.write(piece)
                await writer.drain()

        delivery = asyncio.create_task(deliver())
        piece = b"."
        while piece:
            try:
                piece = await reader.read(1 << 18)
            except OSError:
                piece = b""
            under_way.put_nowait((loop.time() + ONE_WAY, piece))
        await asyncio.gather(delivery, return_exceptions=True)


class Upstreams:
    """Repositories beside the one of the other workloads, and what is in them."""

    def __init__(self, bench):
        self.bench, self.ours, self.nginx = bench, bench.ours, bench.nginx
        self.far = Far(self.nginx.port)
        data = os.urandom(1024)
        self.repo("hosted", "raw")
        self.put("/repository/hosted/warm.bin", data)
        self.nginx.keep("/warm.bin", data)
        self.repo("near", "raw", repoType="remote", upstreamUrl=f"http://127.0.0.1:{self.nginx.port}")
        self.repo("distant", "raw", repoType="remote", upstreamUrl=f"http://127.0.0.1:{self.far.port}")
        self.repo("together", "raw", repoType="virtual", memberRepos=["hosted", "near"])
        self.packages()
        self.artifacts()

    def repo(self, key, format, **more):
        body = {"repoKey": key, "format": format, "repoType": "local", "anonymousRead": True, **more}
        once(self.ours.target(), "POST", "/v1/repos", json.dumps(body).encode(), JSON)

    def put(self, path, body, headers=None):
        once(self.ours.target(), "PUT", path, body, headers)

    def packages(self):
        """A package of npm with many versions; a repository that has it from there; one of many members."""
        keys = [f"npm-{number}" for number in range(MEMBERS)]
        for key in keys:
            self.repo(key, "npm")
        for number in range(VERSIONS):
            version = f"1.0.{number}"
            manifest = {"name": "tool", "version": version, "description": "x" * 200, "dependencies": {"a": "^1.0.0"}}
            body = {"_id": "tool", "name": "tool", "versions": {version: manifest}, "dist-tags": {"latest": version},
                    "_attachments": {f"tool-{version}.tgz": {"data": base64.b64encode(packed(manifest)).decode()}}}
            self.put(f"/repository/{keys[-1]}/tool", json.dumps(body).encode(), JSON)
        upstream = f"http://127.0.0.1:{self.ours.port}/repository/{keys[-1]}"
        self.repo("npm-remote", "npm", repoType="remote", upstreamUrl=upstream)
        self.repo("npm-all", "npm", repoType="virtual", memberRepos=keys)

    def artifacts(self):
        """An artifact of Maven of which every member has other versions: their index is put together."""
        keys = [f"maven-{number}" for number in range(MEMBERS)]
        for place, key in enumerate(keys):
            self.repo(key, "maven")
            for number in range(VERSIONS // (1 if place == 0 else 2)):
                version = f"{place + 1}.0.{number}"
                pom = (f"<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>"
                       f"<artifactId>tool</artifactId><version>{version}</version></project>").encode()
                self.put(f"/repository/{key}/org/example/tool/{version}/tool-{version}.pom", pom)
        self.repo("maven-all", "maven", repoType="virtual", memberRepos=keys)

    def load(self, connections, **paths):
        def of(path):
            return lambda: wrk(self.ours.target(), connections, self.bench.seconds, path="/repository" + path)

        return {name: of(path) for name, path in paths.items()}

    def all(self):
        metadata = "/org/example/tool/maven-metadata.xml"
        return {
            f"warm-1k-c{clients}": ("req/s", self.load(
                clients, hosted="/hosted/warm.bin", remote="/near/warm.bin", virtual="/together/warm.bin"))
            for clients in (4, 64)
        } | {
            "npm-index-c4": ("req/s", self.load(
                4, hosted=f"/npm-{MEMBERS - 1}/tool", remote="/npm-remote/tool", virtual="/npm-all/tool")),
            "maven-index-c4": ("req/s", self.load(4, hosted="/maven-0" + metadata, virtual="/maven-all" + metadata)),
        }

    def cold(self, rounds):
        """Milliseconds to a file of 100 KB that nobody has asked for yet, in turns: from there on a new connection,
        from there on one that is kept, and through us. Our client connects anew, as the first one does; we keep our
        connections to the upstream, as the second one does. What we add is told over each."""
        far, ours = Target("far", self.far.port, self.ours.pid), self.ours.target()
        kept, times = Kept(far), {"direct_new": [], "direct_kept": [], "ours": []}
        self.nginx.keep("/cold/first.bin", b"x")
        kept.milliseconds("/cold/first.bin")
        for number in range(rounds * 5):
            path = f"/cold/{number}.bin"
            self.nginx.keep(path, os.urandom(100 << 10))
            times["direct_new"].append(milliseconds(far, path))
            times["direct_kept"].append(kept.milliseconds(path))
            times["ours"].append(milliseconds(ours, f"/repository/distant{path}"))
        kept.close()
        found = {f"{name}_ms": middle(each) for name, each in times.items()}
        trip = 2000 * ONE_WAY
        for direct in ("new", "kept"):
            added = [ours - theirs for ours, theirs in zip(times["ours"], times[f"direct_{direct}"])]
            found[f"added_round_trips_over_{direct}"] = middle(added) / trip
        return {**found, "round_trip_ms": trip}


class Kept:
    """A connection that is there already when somebody asks; made anew when the other side has ended it."""

    def __init__(self, target):
        self.target, self.connection = target, Connection(target)

    def milliseconds(self, path):
        try:
            return timed(self.connection, path)
        except OSError:
            self.connection.close()
            self.connection = Connection(self.target)
            # This one pays for the connection and does not count.
            timed(self.connection, path)
            return timed(self.connection, path)

    def close(self):
        self.connection.close()


def milliseconds(target, path):
    """Of one whole answer on a new connection."""
    started = time.perf_counter()
    connection = Connection(target)
    timed(connection, path)
    connection.close()
    return (time.perf_counter() - started) * 1000


def timed(connection, path):
    """Milliseconds of one whole answer."""
    started = time.perf_counter()
    status, _ = connection.ask("GET", path)
    if status != 200:
        raise SystemExit(f"{connection.target.name}: {path} answered {status}")
    return (time.perf_counter() - started) * 1000


def packed(manifest):
    out, text = io.BytesIO(), json.dumps(manifest).encode()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        entry = tarfile.TarInfo("package/package.json")
        entry.size, entry.mode = len(text), 0o644
        archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()
