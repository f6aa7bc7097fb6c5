# SPDX-License-Identifier: MIT
"""What cowtrace itself takes: its CPU and memory, how soon it is there, and whether it keeps up."""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tools
from figures import Goal
from requests_made import Rows, attached, value

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
# What the kernel keeps for each thread that is traced: struct thread of bpf/maps.bpf.h, from a slab of 8 KiB.
THREAD = 8192


class Workers:
    """workers_of_ints.py: does nothing until it is told to."""

    def __init__(self, python: str, pages: int, workers: int, generations: int):
        self.process = subprocess.Popen([python, str(HERE / "workers_of_ints.py"), str(pages), str(workers), str(generations)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=tools.clean_environment())
        self.pid = self.says()["pid"]

    def says(self) -> dict[str, int]:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def go_on(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def cpu_seconds(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS


def seconds_per_million(python: str, workers: int, copies: int, place: Path) -> tuple[float, int, int]:
    """CPU of the daemon, copies counted too few, copies lost: some workers at full speed at once."""
    pages = 20011
    with Workers(python, pages, workers, max(1, copies // (pages * workers))) as work:
        with attached(work.pid, place / "report") as (daemon, _):
            before = cpu_seconds(daemon.pid)
            work.go_on()
            made = work.says()["copies"]
            time.sleep(0.5)  # until it has taken what waits
            spent = cpu_seconds(daemon.pid) - before
        found = json.loads((place / "report").read_text())["capture"]
    return spent * 1e6 / found["copies"], max(0, made - found["copies"]), found["lost"]


def until_command(_: Path) -> float:
    """From the start of `cowtrace run` to the first instruction of what it runs, but for what `date` itself needs."""
    start = time.time()
    done = subprocess.run([tools.COWTRACE, "run", "-q", "--", "date", "+%s.%N"], capture_output=True, text=True)
    armed = float(done.stdout) - start
    start = time.time()
    done = subprocess.run(["date", "+%s.%N"], capture_output=True, text=True)
    return armed - (float(done.stdout) - start)


@contextlib.contextmanager
def served(pid: int, place: Path) -> Iterator[tuple[int, float, int]]:
    """cowtrace serve: its pid, seconds until it said that it is ready, its port."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(place / "notify"))
    notify.settimeout(60)
    start = time.monotonic()
    process = subprocess.Popen([tools.COWTRACE, "serve", "-q", "-p", str(pid), "--listen", f"127.0.0.1:{port}"],
                               env={**os.environ, "NOTIFY_SOCKET": str(place / "notify")}, stderr=subprocess.DEVNULL)
    try:
        while b"READY=1" not in notify.recv(4096):
            pass
        yield process.pid, time.monotonic() - start, port
    finally:
        process.terminate()
        process.wait(60)
        notify.close()
        (place / "notify").unlink()


def children_of(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident(pid: int) -> int:
    """Bytes, without the buffers that it shares with the kernel: those are among the maps."""
    total, ours = 0, True
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            ours = "bpf" not in line.partition(" ")[2].rpartition(" ")[2]
        elif ours and line.startswith("Rss:"):
            total += int(line.split()[1]) * 1024
    return total


def map_bytes(pid: int) -> int:
    """The BPF maps that a process holds, each once, as the kernel says."""
    maps: dict[str, int] = {}
    for place in Path(f"/proc/{pid}/fdinfo").iterdir():
        found = {}
        with contextlib.suppress(FileNotFoundError):  # closed by now
            found = dict(line.split(":", 1) for line in place.read_text().splitlines() if ":" in line)
        if "map_id" in found and "memlock" in found:
            maps[found["map_id"].strip()] = int(found["memlock"])
    return sum(maps.values())


def lost_of(port: int) -> float:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return sum(float(x) for x in re.findall(r"^cowtrace_lost_events_total\S* (\S+)$", text, re.MULTILINE))


def memory(python: str, copies: int, place: Path) -> dict[str, float]:
    """serve, with 64 workers at once, until so many copies have been made."""
    workers, pages = 64, 20011
    with Workers(python, pages, workers, max(1, copies // (pages * workers))) as work, \
            served(work.pid, place) as (daemon, ready, port):
        before = cpu_seconds(daemon)
        work.go_on()
        made = work.says()["copies"]
        time.sleep(1)
        return {"copies": made, "cpu": (cpu_seconds(daemon) - before) * 1e6 / made, "ready": ready,
                "lost": lost_of(port), "maps": map_bytes(daemon) / MIB, "threads": (workers + 1) * THREAD / MIB,
                "daemon": resident(daemon) / MIB, "http": sum(map(resident, children_of(daemon))) / MIB}


def attach_seconds(python: str, processes: int, place: Path) -> float:
    with Workers(python, 11, processes - 1, 0) as work, attached(work.pid, place / "report") as (_, seconds):
        return seconds


def measure(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    million, most, times = (100_000, 640_000, 3) if options.quick else (1_000_000, 10_000_000, 10)
    cpus = os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as name:
        place = Path(name)
        full = [seconds_per_million(options.python, cpus, million, place) for _ in range(options.rounds)]
        armed = [until_command(place) for _ in range(times)]
        many = [attach_seconds(options.python, 500, place) for _ in range(options.rounds)]
        held = memory(options.python, most, place)
    lost, missing = sum(f[2] for f in full), sum(f[1] for f in full)
    rows = [value(f"CPU for 1,000,000 copies, {cpus} workers at full speed at once", [f[0] for f in full], "s"),
            value(f"copies lost of {options.rounds} × {million:,}", [lost], ""),
            value("run: start to the command's first instruction", [1000 * s for s in armed], "ms"),
            value("attach: start to counting, 500 processes", [1000 * s for s in many], "ms"),
            value(f"serve, 64 workers, {held['copies']:,} copies: CPU for 1,000,000", [held["cpu"]], "s"),
            value("serve: copies lost", [held["lost"]], ""),
            value("serve: start to ready", [1000 * held["ready"]], "ms"),
            value("serve: BPF maps", [held["maps"] + held["threads"]], "MiB"),
            value("serve: memory of the tracer", [held["daemon"]], "MiB"),
            value("serve: memory of its HTTP process", [held["http"]], "MiB")]
    return rows, goals(rows, lost + missing)


def goals(rows: list[dict[str, Any]], lost: float) -> list[Goal]:
    cpu, armed, many, serve_cpu = rows[0]["value"], rows[2]["value"], rows[3]["value"], rows[4]["value"]
    return [Goal("CPU of the daemon for 1,000,000 copies", max(cpu, serve_cpu), 0.3, " s"),
            Goal("copies lost or not counted, a worker at full speed on each CPU", lost, 0),
            Goal("copies lost by serve, 64 workers at full speed on all CPUs", rows[5]["value"], 0),
            Goal("start to armed, median", armed, 150, " ms"),
            Goal("attach to 500 processes, median", many, 1000, " ms"),
            Goal("BPF maps and daemon, 64 workers", sum(row["value"] for row in rows[7:10]), 48, " MiB")]
