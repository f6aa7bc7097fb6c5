# SPDX-License-Identifier: MIT
"""What tracing costs programs as they are: the article's loop, and a Flask service that is asked as fast as it answers."""
from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import figures
import tools
from figures import Goal

HERE = Path(__file__).resolve().parent
CLIENTS = 4
Rows = list[dict[str, Any]]


def value(what: str, samples: list[float], unit: str) -> dict[str, Any]:
    got = figures.spread(samples)
    return {"what": what, "value": got.median, "low": got.low, "high": got.high, "unit": unit, "samples": samples}


def article(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    items = 1_000_000 if options.quick else 10_000_000
    command = [options.python, str(HERE / "article.py"), str(items), "2"]
    modes = {tool.name: tool for tool in (tools.UNTRACED, tools.whole(tools.witnesses()[0], True), tools.pieces()[0])}
    seconds: dict[str, list[float]] = {name: [] for name in modes}
    for round_ in range(options.rounds):
        for name in figures.turns(list(modes), round_):
            seconds[name] += tools.run(modes[name], command).facts["seconds"]
    rows = [value(f"{items:,} ints, {name}", [1000 * s for s in samples], "ms") for name, samples in seconds.items()]
    untraced, traced, empty = (row["value"] for row in rows)
    return rows, [Goal(f"the article's loop, {items:,} ints, of untraced", traced / untraced, 1.15, " ×",
                       empty=empty / untraced)]


def ask(port: int, path: str) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while part := s.recv(65536):
            answer += part
    return answer.startswith(b"HTTP/1.1 200") or answer.startswith(b"HTTP/1.0 200")


def ask_all(port: int, number: int) -> None:
    """Some clients, each with its next request as soon as it has an answer."""
    left, failed, lock = [number], [0], threading.Lock()

    def client() -> None:
        while True:
            with lock:
                left[0] -= 1
                if left[0] < 0:
                    return
            if not ask(port, "/sum"):
                failed[0] += 1

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    if failed[0]:
        sys.exit(f"bench: {failed[0]} of {number} requests failed")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            sys.exit(f"bench: gunicorn ended with {process.returncode}")
        with contextlib.suppress(OSError):
            if ask(port, "/up"):
                return
        time.sleep(0.05)
    sys.exit("bench: gunicorn does not answer")


@contextlib.contextmanager
def attached(pid: int, report: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """cowtrace, and how many seconds it took until copies count."""
    start = time.monotonic()
    process = subprocess.Popen([tools.COWTRACE, "attach", "-q", "-v", *options, "--json", report, "-p", str(pid)],
                               stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        for line in process.stderr:
            if "attached:" in line:
                break
        else:
            sys.exit(f"bench: cowtrace could not attach to {pid}")
        yield process, time.monotonic() - start
    finally:
        process.send_signal(signal.SIGINT)
        process.stderr.read()
        process.wait(60)


class Service:
    """gunicorn with one worker, which has a CPU to itself; the clients have the last one, and cowtrace is where there is
    room."""

    def __init__(self, gunicorn: str, items: int, size: int):
        self.port, self.requests = free_port(), items // size
        self.cpus = sorted(os.sched_getaffinity(0))
        self.process = subprocess.Popen(
            ["taskset", "-c", str(self.cpus[0]), "/usr/bin/python3", gunicorn, "--preload", "-w", "1", "-b",
             f"127.0.0.1:{self.port}", "--timeout", "120", "--log-level", "critical", "--chdir", str(HERE), "slices:app"],
            env={**tools.clean_environment(), "BIG_N": str(items), "SLICE": str(size)}, stdin=subprocess.DEVNULL)

    def __enter__(self) -> Service:
        os.sched_setaffinity(0, self.cpus[-1:])
        wait_until_up(self.port, self.process)
        return self

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self.cpus)
        self.process.terminate()
        self.process.wait(60)

    def share_anew(self) -> None:
        """The master forks another worker in place of the one that has copies."""
        os.kill(self.worker(), signal.SIGKILL)
        wait_until_up(self.port, self.process)

    def worker(self) -> int:
        master = self.process.pid
        (worker,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        return int(worker)

    def rate(self) -> float:
        """Requests for one second of the worker's CPU: as it always has one to answer, that is how many it answers if
        nobody else takes its CPU. Each of its ints is read once."""
        schedstat = Path(f"/proc/{self.worker()}/schedstat")
        before = int(schedstat.read_text().split()[0])
        ask_all(self.port, self.requests)
        return self.requests * 1e9 / (int(schedstat.read_text().split()[0]) - before)


PHASES = (("while sharing erodes", 0.97), ("once it has eroded", 0.99))
SETTLE = 0.3  # seconds: what the last one has left behind is being cleared away


def pair(service: Service, report: Path, traced_first: bool, anew: bool, *options: str) -> tuple[float, float]:
    """Requests per second without and with cowtrace attached, one right after the other; anew: each with a worker that
    still shares everything. options: cowtrace's."""
    rate = {}
    for traced in (traced_first, not traced_first):
        if anew:
            service.share_anew()
        with attached(service.process.pid, report, *options) if traced else contextlib.nullcontext():
            time.sleep(SETTLE)
            rate[traced] = service.rate()
    return rate[False], rate[True]


def measure(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    """The same service with and without cowtrace attached, in turn; each ratio is of two that were neighbours."""
    gunicorn = shutil.which("gunicorn", path="/usr/bin")
    if not gunicorn:
        return [], [Goal(f"Flask, {when}, of untraced", None, limit, " ×", True, "no gunicorn here")
                    for when, limit in PHASES]
    with Service(gunicorn, 2_000_000 if options.quick else 10_000_000, 10_000) as service, \
            tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as place:
        report = Path(place, "report")
        service.rate()
        pairs = [[pair(service, report, bool(i % 2), anew) for i in range(3 * options.rounds)] for anew in (True, False)]
        empty = [pair(service, report, bool(i % 2), True, "--pieces", "empty") for i in range(options.rounds)]
    rows: Rows = []
    goals = []
    for (when, limit), rates in zip(PHASES, pairs):
        rows += [value(f"{when}, untraced", [plain for plain, _ in rates], "requests/s"),
                 value(f"{when}, cowtrace", [traced for _, traced in rates], "requests/s"),
                 value(f"{when}, one of the other", [traced / plain for plain, traced in rates], "×")]
        goals.append(Goal(f"Flask, {when}, of untraced", rows[-1]["value"], limit, " ×", True))
    rows.append(value(f"{PHASES[0][0]}, empty, of untraced", [traced / plain for plain, traced in empty], "×"))
    goals[0] = dataclasses.replace(goals[0], empty=rows[-1]["value"])
    return rows, goals
