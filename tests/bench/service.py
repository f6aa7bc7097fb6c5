# SPDX-License-Identifier: MIT
"""What tracing costs programs as they are: the article's loop, and a Flask service that is asked as fast as it answers."""
from __future__ import annotations

import argparse
import contextlib
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
    modes = {tool.name: tool for tool in (tools.UNTRACED, tools.whole(tools.witnesses()[0], True))}
    seconds: dict[str, list[float]] = {name: [] for name in modes}
    for round_ in range(options.rounds):
        for name in figures.turns(list(modes), round_):
            seconds[name] += tools.run(modes[name], command).facts["seconds"]
    rows = [value(f"{items:,} ints, {name}", [1000 * s for s in samples], "ms") for name, samples in seconds.items()]
    return rows, [Goal(f"the article's loop, {items:,} ints, of untraced", rows[1]["value"] / rows[0]["value"], 1.15, " ×")]


def ask(port: int, path: str) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while part := s.recv(65536):
            answer += part
    return answer.startswith(b"HTTP/1.1 200") or answer.startswith(b"HTTP/1.0 200")


def requests_per_second(port: int, number: int) -> float:
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
    start = time.perf_counter()
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    if failed[0]:
        sys.exit(f"bench: {failed[0]} of {number} requests failed")
    return number / (time.perf_counter() - start)


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
def attached(pid: int, report: Path) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """cowtrace, and how many seconds it took until copies count."""
    start = time.monotonic()
    process = subprocess.Popen([tools.COWTRACE, "attach", "-q", "-v", "--json", report, "-p", str(pid)],
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
        master = self.process.pid
        (worker,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        wait_until_up(self.port, self.process)

    def rates(self) -> list[float]:
        """While sharing erodes, and then."""
        return [requests_per_second(self.port, self.requests) for _ in range(2)]


PHASES = (("while sharing erodes", 0.97), ("once it has eroded", 0.99))


def measure(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    """The same service with and without cowtrace attached, in turn; each ratio is of two that were neighbours."""
    gunicorn = shutil.which("gunicorn", path="/usr/bin")
    if not gunicorn:
        return [], [Goal(f"Flask, {when}, of untraced", None, limit, " ×", True, "no gunicorn here")
                    for when, limit in PHASES]
    plain: list[list[float]] = []
    traced: list[list[float]] = []
    with Service(gunicorn, 2_000_000 if options.quick else 10_000_000, 10_000) as service, \
            tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as place:
        service.rates()
        for round_ in range(3 * options.rounds):
            for with_cowtrace in (False, True) if round_ % 2 else (True, False):
                service.share_anew()
                if not with_cowtrace:
                    plain.append(service.rates())
                    continue
                with attached(service.process.pid, Path(place, "report")):
                    traced.append(service.rates())
    rows: Rows = []
    goals = []
    for i, (when, limit) in enumerate(PHASES):
        ratios = [t[i] / p[i] for t, p in zip(traced, plain)]
        rows += [value(f"{when}, untraced", [p[i] for p in plain], "requests/s"),
                 value(f"{when}, cowtrace", [t[i] for t in traced], "requests/s"),
                 value(f"{when}, one of the other", ratios, "×")]
        goals.append(Goal(f"Flask, {when}, of untraced", rows[-1]["value"], limit, " ×", True))
    return rows, goals
