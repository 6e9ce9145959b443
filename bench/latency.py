"""One keep-alive client: the median time of each small request."""
import os
import re
import time

import floor
from client import Connection, middle

ROUNDS = 5


def requests(repository, tag):
    """Name → (method, path, body, headers, the status that is right); `{n}` becomes a new number."""
    small, wide = repository + "/latency/1k", repository + "/latency/100k"
    return {
        "GET 1 KB": ("GET", small, None, {}, 200),
        "HEAD": ("HEAD", small, None, {}, 200),
        "GET 304": ("GET", small, None, {"If-None-Match": "*"}, 304),
        "GET range of 1 KB": ("GET", small, None, {"Range": "bytes=100-199"}, 206),
        "GET 100 KB, streamed": ("GET", wide, None, {}, 200),
        "list": ("GET", repository + "/latency/?format=json", None, {}, 200),
        "whoami": ("GET", "/v1/auth/whoami", None, {}, 200),
        "PUT 1 KB": ("PUT", f"{repository}/latency-put/{tag}/{{n}}", 1024, {}, 201),
        "PUT 100 KB, streamed": ("PUT", f"{repository}/latency-put/{tag}/wide-{{n}}", 100 << 10, {}, 201),
    }


def median(target, request, number, count):
    """Median µs of `count` requests on one connection."""
    method, path, size, headers, right = request
    connection, times = Connection(target), []
    for index in range(count):
        body = os.urandom(16) + bytes(size - 16) if size else None
        address = path.replace("{n}", f"{number}-{index}")
        started = time.perf_counter()
        status, _ = connection.ask(method, address, body, headers)
        times.append(time.perf_counter() - started)
        if status != right:
            raise SystemExit(f"{method} {address} answered {status}, not {right}")
    connection.close()
    return sorted(times)[len(times) // 2] * 1e6


def measure(bench):
    """Rows of medians in µs, with nginx and bare commits in the same rounds."""
    ours, tag = bench.ours, str(time.time_ns())
    for path, data in (("/latency/1k", os.urandom(1024)), ("/latency/100k", os.urandom(100 << 10))):
        ours.keep(path, data)
        bench.nginx.keep(path, data)
    asked = requests(ours.REPOSITORY, tag)
    rows = {f"{name}, {scheme}": [] for name in asked for scheme in ("Bearer", "Basic")}
    rows.update({"nginx GET 1 KB": [], "nginx GET 100 KB": [], "one SQLite commit": []})
    for number in range(ROUNDS):
        for name, request in asked.items():
            count = 60 if request[0] == "PUT" else 300
            for scheme in ("Bearer", "Basic"):
                key = f"{number}-{scheme}"
                rows[f"{name}, {scheme}"].append(median(ours.target(scheme == "Basic"), request, key, count))
        for size in ("1k", "100k"):
            request = ("GET", f"/latency/{size}", None, {}, 200)
            rows[f"nginx GET {re.sub('k', ' KB', size)}"].append(median(bench.nginx.target(), request, 0, 300))
        rows["one SQLite commit"].append(floor.commits(bench.scratch, 0.1)["p50_us"])
    return {name: {"p50_us": middle(values), "rounds": values} for name, values in rows.items()}
