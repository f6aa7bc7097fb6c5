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
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import figures
import tools
from figures import Goal
from tools import ROOT

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
def served(tool: tools.Tool, gunicorn: str, items: int, size: int) -> Iterator[int]:
    """One worker, which has a CPU to itself; the clients have the last one, and cowtrace is where there is room."""
    port, place = free_port(), Path("/tmp")
    command = ["/usr/bin/python3", gunicorn, "--preload", "-w", "1", "-b", f"127.0.0.1:{port}", "--timeout", "120",
               "--log-level", "critical", "--chdir", str(HERE), "slices:app"]
    cpus = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(
        tool.wrap(["taskset", "-c", str(cpus[0]), *command], place), env={**tools.clean_environment(), "BIG_N": str(items), "SLICE": str(size)},
        stdin=subprocess.DEVNULL)
    os.sched_setaffinity(0, cpus[-1:])
    try:
        wait_until_up(port, process)
        yield port
    finally:
        os.sched_setaffinity(0, cpus)
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def measure(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    gunicorn = shutil.which("gunicorn", path="/usr/bin")
    goals = ("while sharing erodes", 0.97), ("once it has eroded", 0.99)
    if not gunicorn:
        return [], [Goal(f"Flask, {when}, of untraced", None, limit, " ×", True, "no gunicorn here") for when, limit in goals]
    items, size = (2_000_000, 10_000) if options.quick else (10_000_000, 10_000)
    traced = tools.cowtrace("cowtrace", "")
    modes = {"untraced": tools.UNTRACED, "cowtrace": tools.Tool("cowtrace", "", lambda c, p: traced.wrap(c, p)[:3] + ["--", *c],
                                                              traced.read)}
    rate: dict[tuple[str, str], list[float]] = {}
    for round_ in range(options.rounds):
        for name in figures.turns(list(modes), round_):
            with served(modes[name], gunicorn, items, size) as port:
                for when, _ in goals:
                    rate.setdefault((when, name), []).append(requests_per_second(port, items // size))
                    time.sleep(1)
    rows = [value(f"{when}, {name}", samples, "requests/s") for (when, name), samples in sorted(rate.items())]
    median = {key: figures.spread(samples).median for key, samples in rate.items()}
    return rows, [Goal(f"Flask, {when}, of untraced", median[when, "cowtrace"] / median[when, "untraced"], limit, " ×", True)
                  for when, limit in goals]
