"""The workloads, each as a list of runners by target name. A runner makes one short measurement."""
import os
import time

import floor
from client import Connection, together, wrk

SMALL, BIG = "/small.bin", "/big.bin"
MIB = 100


class Bench:
    """What the workloads share: the servers, a work folder, how long a measurement takes."""

    def __init__(self, ours, nginx, folder, seconds):
        self.ours, self.nginx, self.folder, self.seconds = ours, nginx, folder, seconds
        self.big = floor.Big(folder / "big.bin", MIB)
        self.scratch = folder / "floor"
        self.scratch.mkdir(exist_ok=True)
        self.puts = 0

    def fill(self):
        """The same files on both servers."""
        for path, data in ((SMALL, os.urandom(1024)), (BIG, self.big.path.read_bytes())):
            self.ours.keep(path, data)
            self.nginx.keep(path, data)

    def get_small(self, connections):
        def of(target):
            return lambda: wrk(target, connections, self.seconds, path=target.prefix + SMALL)

        return {"nginx": of(self.nginx.target()), "ours": of(self.ours.target()), "ours, Basic": of(self.ours.target(True))}

    def get_big(self, clients):
        def operation(connection, _):
            connection.socket.sendall(connection.head("GET", connection.target.prefix + BIG))
            status, _ = connection.answer("GET")
            if status != 200:
                raise RuntimeError(status)
            return self.big.size

        def of(target):
            return lambda: together(target, clients, self.seconds, operation, 60)

        return {"nginx": of(self.nginx.target()), "ours": of(self.ours.target())}

    def put_small(self, clients, size):
        """Each body and each path is new."""
        def run():
            self.puts += 1
            tag = f"{os.getpid()}-{time.time_ns()}-{self.puts}"
            script = f"""
                local n, rest = 0, string.rep("x", {size - 40})
                request = function() n = n + 1
                  local name = string.format("%040d", n):gsub("^" .. string.rep("0", {len(tag)}), "{tag}")
                  return wrk.format("PUT", "{self.ours.REPOSITORY}/put/{tag}/" .. (n % 100) .. "/" .. n, nil, name .. rest)
                end
            """
            return wrk(self.ours.target(), clients, self.seconds, script)

        return run

    def put_small_against_floor(self):
        return {"floor": lambda: floor.small(self.scratch, self.seconds), "ours": self.put_small(8, 4096)}

    def publish_against_commits(self):
        return {"commits": lambda: floor.commits(self.scratch, self.seconds), "ours": self.put_small(16, 256)}

    def put_big(self):
        def run():
            connection, speeds = Connection(self.ours.target()), []
            for _ in range(3):
                self.big.renew()
                self.puts += 1
                path = f"{self.ours.REPOSITORY}/up/{time.time_ns()}.bin"
                started = time.perf_counter()
                status, _ = connection.send_file(path, self.big.file, self.big.size)
                speeds.append(self.big.size / (time.perf_counter() - started) / 1e6)
                if status != 201:
                    raise RuntimeError(status)
            connection.close()
            return {"value": sorted(speeds)[1], "errors": 0, "cpu": None}

        return {"floor": lambda: floor.large(self.scratch, self.big, 3), "ours": run}

    def all(self):
        """Name → (unit, runners); the first runner is the reference."""
        return {
            "get-1k-c64": ("req/s", self.get_small(64)),
            "get-1k-c4": ("req/s", self.get_small(4)),
            "get-100m-c1": ("MB/s", self.get_big(1)),
            "get-100m-c32": ("MB/s", self.get_big(32)),
            "put-100m": ("MB/s", self.put_big()),
            **self.small_writes(),
        }

    def small_writes(self):
        """Those whose bytes lie in the database: all their syncs are SQLite's."""
        return {
            "put-4k-c8": ("op/s", self.put_small_against_floor()),
            "publish-c16": ("op/s", self.publish_against_commits()),
        }
