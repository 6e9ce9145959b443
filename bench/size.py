"""Start-up and memory: empty, with a million versions, during and after large transfers."""
import os
import shutil
import subprocess
import threading
import time

from client import Connection, Peak, memory_mib, middle
from servers import ROOT, Ours

LATER = 5


def idle(server):
    """Memory after two quiet seconds."""
    time.sleep(2)
    return memory_mib(server.pid)


def starts(program, folder, prepared=None):
    """First and later starts to ready, in ms, and idle memory, in MiB. `prepared` fills the folder before."""
    firsts, laters, idles = [], [], []
    for _ in range(3 if prepared is None else 1):
        shutil.rmtree(folder, ignore_errors=True)
        if prepared:
            prepared(folder)
        server = Ours(program, folder)
        firsts.append(server.ready_after * 1000)
        server.settle() if prepared is None else None
        server.stop()
    for _ in range(LATER):
        server = Ours(program, folder)
        laters.append(server.ready_after * 1000)
        idles.append(idle(server))
        server.stop()
    found = {"later_ms": middle(laters), "idle_mib": middle(idles), "later_rounds": laters, "idle_rounds": idles}
    if prepared is None:
        found.update({"first_ms": middle(firsts), "first_rounds": firsts})
    return found


def million(keep, versions):
    """Fills a data folder with `versions` published versions; made once and copied from then on."""
    def prepare(folder):
        if not (keep / "artifortress.db").exists():
            part = keep.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            command = ["cargo", "run", "--quiet", "--release", "-p", "store", "--example", "seed", "--"]
            subprocess.run(command + [str(part / "artifortress.db"), str(versions)], cwd=ROOT, check=True)
            part.rename(keep)
        shutil.copytree(keep, folder)

    return prepare


def transfers(bench, mib):
    """What a 300 MB upload and download add to memory, and what eight clients with `mib` MiB each do."""
    ours, folder = bench.ours, bench.folder
    file = folder / "stream.bin"
    with open(file, "wb") as out:
        for _ in range(max(mib, 287)):
            out.write(os.urandom(1 << 20))
    found = {}
    for name, size, clients in (("300 MB", 300_000_000, 1), ("8 streams", mib << 20, 8)):
        found[f"PUT {name}"] = moved(ours, clients, lambda c, n: put(ours, c, file, size, f"{name[:1]}-{n}"))
        found[f"GET {name}"] = moved(ours, clients, lambda c, n: get(ours, c, f"{name[:1]}-{n}"))
    file.unlink()
    return found


def put(ours, connection, file, size, name):
    source = os.open(file, os.O_RDONLY)
    status, answer = connection.send_file(f"{ours.REPOSITORY}/stream/{name}", source, size)
    os.close(source)
    if status != 201:
        raise SystemExit(f"a streamed PUT answered {status}: {answer[:200]!r}")


def get(ours, connection, name):
    connection.socket.sendall(connection.head("GET", f"{ours.REPOSITORY}/stream/{name}"))
    status, _ = connection.answer("GET")
    if status != 200:
        raise SystemExit(f"a streamed GET answered {status}")


def moved(ours, clients, act):
    connections = [Connection(ours.target()) for _ in range(clients)]
    with Peak(ours.pid) as peak:
        threads = [threading.Thread(target=act, args=(each, number)) for number, each in enumerate(connections)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    [each.close() for each in connections]
    return {"added_mib": peak.added, "peak_mib": peak.peak}


def syncs_of_reads(bench):
    """Calls that write to or sync a file while 300 files are read, whole and in part: must be none."""
    ours = bench.ours
    calls = "fsync,fdatasync,pwrite64,pwritev,pwritev2,sync_file_range,ftruncate,rename,renameat,renameat2,msync"
    trace = bench.folder / "trace"
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-e", f"trace={calls}", "-o", str(trace), "-p", str(ours.pid)])
    time.sleep(1)
    connection = Connection(ours.target())
    for number in range(100):
        for path, headers in (("/latency/1k", {}), ("/latency/100k", {}), ("/latency/100k", {"Range": "bytes=5-9"})):
            connection.ask("GET", ours.REPOSITORY + path, None, headers)
    connection.close()
    tracer.terminate()
    tracer.wait()
    return {"calls": sum("resumed" not in line and "= " in line for line in trace.read_text().splitlines())}
