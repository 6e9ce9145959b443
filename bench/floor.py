"""What this machine can do with no server at all, measured inside the same rounds as the servers."""
import glob
import hashlib
import os
import sqlite3
import time


def database(path):
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=wal", "synchronous=full"):
        connection.execute("pragma " + pragma)
    connection.execute("create table if not exists facts(name text primary key, fact blob)")
    return connection


def small(folder, seconds, size=4096):
    """One thread: a new file written, synced and renamed, and one row committed. Operations a second."""
    for old in glob.glob(f"{folder}/*"):
        os.unlink(old)
    rows, body, count = database(f"{folder}/facts.db"), os.urandom(size), 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        file = os.open(f"{folder}/part", os.O_CREAT | os.O_WRONLY)
        os.write(file, body)
        os.fdatasync(file)
        os.close(file)
        os.rename(f"{folder}/part", f"{folder}/file-{count}")
        rows.execute("insert into facts values(?, ?)", (f"name-{count}", b"x" * 300))
        count += 1
    took = time.perf_counter() - started
    rows.close()
    return {"value": count / took, "p50_us": took / count * 1e6, "errors": 0, "cpu": None}


def commits(folder, seconds):
    """One thread: single SQLite commits of a 300-byte row. Commits a second."""
    for old in glob.glob(f"{folder}/*"):
        os.unlink(old)
    rows, count = database(f"{folder}/facts.db"), 0
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        rows.execute("insert into facts values(?, ?)", (f"name-{count}", b"x" * 300))
        count += 1
    took = time.perf_counter() - started
    rows.close()
    return {"value": count / took, "p50_us": took / count * 1e6, "errors": 0, "cpu": None}


def large(folder, big, times):
    """One thread: read, SHA-256, write, sync. MB/s."""
    best = []
    for _ in range(times):
        big.renew()
        started, hasher, offset = time.perf_counter(), hashlib.sha256(), 0
        file = os.open(f"{folder}/big", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        while offset < big.size:
            piece = os.pread(big.file, 1 << 20, offset)
            hasher.update(piece)
            os.write(file, piece)
            offset += len(piece)
        os.fdatasync(file)
        os.close(file)
        best.append(big.size / (time.perf_counter() - started) / 1e6)
        os.unlink(f"{folder}/big")
    return {"value": sorted(best)[len(best) // 2], "errors": 0, "cpu": None}


class Big:
    """A random file; `renew` changes its first bytes, so that nobody has seen it before."""

    def __init__(self, path, mib):
        self.path, self.size = path, mib << 20
        if not path.exists() or path.stat().st_size != self.size:
            with open(path, "wb") as out:
                for _ in range(mib):
                    out.write(os.urandom(1 << 20))
        self.file = os.open(path, os.O_RDWR)

    def renew(self):
        os.pwrite(self.file, os.urandom(32), 0)
