# SPDX-License-Identifier: MIT
"""Runs one scenario under cowtrace, with so many workers, and says what became of their memory."""
from __future__ import annotations

import functools
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import watch
from scenarios import Scenario

HERE = Path(__file__).resolve().parent
COWTRACE = Path(os.environ.get("COWTRACE", HERE.parents[1] / "build" / "cowtrace"))
PYTHON = "/usr/bin/python3"
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Scripts of a test must not use each other's bytecode, nor a proxy.
ENVIRONMENT = {**{k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COWTRACE"))},
               "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}


@dataclass
class Result:
    """Of one run. Bytes per worker are means."""

    workers: int
    data: int = 0  # what the data takes in the process that made it
    before: watch.Memory = watch.Memory(0, 0)  # of a worker
    after: watch.Memory = watch.Memory(0, 0)
    all_before: int = 0  # PSS of all processes together
    all_after: int = 0
    master_before: int = 0  # private
    master_after: int = 0
    copies: float = 0  # of a worker
    copied: float = 0  # bytes
    recycled: int = 0  # workers that ended meanwhile
    copied_by_all: int = 0  # bytes, of all workers that ever were
    cause: str = ""  # the most frequent one of the workers, with the type
    cause_share: float = 0
    site: str = ""
    lost: int = 0
    advice: list[tuple[str, int]] = field(default_factory=list)
    rows: list[tuple[float, int, int, int]] = field(default_factory=list)  # of watch.Watch
    marks: list[float] = field(default_factory=list)  # when the work began and was done
    master: int = 0
    seconds: float = 0


class Failed(Exception):
    """A scenario could not be run as it is meant."""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def mean(memories: list[watch.Memory | None]) -> watch.Memory:
    there = [m for m in memories if m]
    if not there:
        raise Failed("no worker was there to be looked at")
    return watch.Memory(sum(m.pss for m in there) // len(there), sum(m.private for m in there) // len(there))


def wait_for(what: str, condition: Callable[[], Any], process: subprocess.Popen[bytes], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        if process.poll() is not None:
            raise Failed(f"not {what}: the command ended with status {process.returncode}")
        time.sleep(0.02)
    raise Failed(f"not {what} after {seconds} s")


class Service:
    """gunicorn with the server, or forked.py: both hold data and have workers that can be made to work."""

    def __init__(self, scenario: Scenario, workers: int, items: int, place: str, cowtrace: list[str]) -> None:
        self.scenario, self.n = scenario, workers
        self.small = items < 1_000_000
        self.env = {**ENVIRONMENT, "LAB_PLACE": place, "LAB_KIND": scenario.kind, "LAB_ITEMS": str(items)}
        command = self.forked(items) if scenario.gunicorn is None else self.gunicorn(place)
        self.log = open(Path(place, "log"), "w+b")
        self.process = subprocess.Popen([*cowtrace, *command], env=self.env, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, bufsize=0)
        self.pids: list[int] = []

    def forked(self, items: int) -> list[str]:
        return [PYTHON, str(HERE / "forked.py"), self.scenario.kind, str(items), str(self.n), *self.scenario.options]

    def gunicorn(self, place: str) -> list[str]:
        self.port = free_port()
        Path(place, "gunicorn.conf.py").write_text(self.scenario.gunicorn or "")
        return [PYTHON, "-m", "gunicorn", *(["--preload"] if self.scenario.preload else []), "-w", str(self.n), "-b",
                f"127.0.0.1:{self.port}", "--timeout", "600", "--chdir", str(HERE), "-c",
                str(Path(place, "gunicorn.conf.py")), "server:app"]

    @property
    def master(self) -> int:
        (pid,) = wait_for("started", lambda: watch.children(self.process.pid), self.process)
        return pid

    def line(self) -> dict[str, Any]:
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], 600)[0]:
            raise Failed("the program says nothing")
        text = self.process.stdout.readline()
        if not text:
            raise Failed("the program said no more")
        return json.loads(text)

    def ask(self, path: str) -> dict[str, Any]:
        with OPENER.open(f"http://127.0.0.1:{self.port}{path}", timeout=600) as answer:
            return json.load(answer)

    def answers(self) -> bool:
        try:
            return bool(self.ask("/pid"))
        except OSError:
            return False

    def wait_until_up(self) -> None:
        if self.scenario.gunicorn is None:
            self.pids = self.line()["workers"]
            return
        wait_for("up", self.answers, self.process, 300)
        # Without preload, each has loaded its own when it answers; and what the first request takes is no access.
        self.load(2, "idle")
        self.pids = wait_for("all there", self.all_there, self.process)

    def all_there(self) -> list[int] | None:
        """shared_memory has a process of its own beside the workers."""
        pids = [pid for pid in watch.children(self.master) if b"resource_tracker" not in watch.command(pid)]
        return pids if len(pids) == self.n else None

    def load(self, rounds: int, how: str) -> None:
        """Until each worker has answered, and at least so many rounds of requests."""
        hold = 0.03
        seen: set[int] = set()
        with ThreadPoolExecutor(self.n) as pool:
            for turn in range(40):
                path = f"/access?how={how}&hold={hold:.3f}"
                seen.update(answer["pid"] for answer in pool.map(lambda _: self.ask(path), range(self.n)))
                if turn + 1 >= rounds and len(seen) >= self.n:
                    return
                hold = min(hold * 1.5, 2)  # one that is free takes what comes before one that wakes up
        raise Failed(f"only {len(seen)} of {self.n} workers answered")

    def work(self) -> None:
        if self.scenario.gunicorn is not None:
            self.load(self.scenario.rounds, self.scenario.how)
            return
        assert self.process.stdin
        self.process.stdin.write(b"go\n")
        if not self.line().get("done"):
            raise Failed("not done")

    def end(self) -> None:
        """Without any writes of an end: all are killed, the master after it can not replace its workers."""
        master = self.master
        os.kill(master, signal.SIGSTOP)
        for pid in reversed(watch.family(master)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(120)

    def close(self) -> None:
        if self.process.poll() is None:
            for pid in reversed(watch.family(self.process.pid)[1:]):
                os.kill(pid, signal.SIGKILL)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


@contextmanager
def service(*args: Any) -> Iterator[Service]:
    it = Service(*args)
    try:
        yield it
    finally:
        it.close()


LOADED = ("joblib", "file", "private-file")
MAPPED = ("mmap", "file", "private-file", "shm")


def prepare(scenario: Scenario, items: int, place: str) -> None:
    if scenario.kind not in LOADED:
        return
    subprocess.run([PYTHON, str(HERE / "data.py"), "prepare", scenario.kind, str(items), place], env=ENVIRONMENT,
                   check=True)


SIZES: dict[tuple[str, int], int] = {}


def size_of(scenario: Scenario, items: int, place: str) -> int:
    """What the data takes in a process of its own: resident memory that it adds, without what is needed to make it."""
    if (scenario.kind, items) in SIZES:
        return SIZES[scenario.kind, items]
    code = ("import sys, os; sys.path.insert(0, sys.argv[1]); import data\n"
            "def rss(): return int(next(r for r in open('/proc/self/smaps_rollup') if r[:4] == 'Rss:').split()[1])\n"
            "first = data.make(sys.argv[2], 1000); import gc; gc.collect(); before = rss()\n"
            "held = data.make(sys.argv[2], int(sys.argv[3])); gc.collect(); "
            "print((rss() - before) << 10, flush=True); os._exit(0)")
    done = subprocess.run([PYTHON, "-c", code, str(HERE), scenario.kind, str(items)], check=True, stdout=subprocess.PIPE,
                          env={**ENVIRONMENT, "LAB_PLACE": place})
    # What is mapped and not looked at yet takes nothing.
    size = max(int(done.stdout), 8 * items if scenario.kind in MAPPED else 0)
    SIZES[scenario.kind, items] = size
    return size


def top_of(folded: list[str], pids: set[int]) -> tuple[str, float, str]:
    """The most frequent cause of these processes, with its type; its share; and the line with the most copies."""
    causes: Counter[str] = Counter()
    sites: Counter[str] = Counter()
    for line in folded:
        stack, size = line.rsplit(" ", 1)
        frames = stack.split(";")
        pid = re.search(r"\[(\d+)\]$", frames[0])
        if pid and int(pid.group(1)) in pids:
            causes[frames[-1]] += int(size)
            sites[frames[-2]] += int(size)
    if not causes:
        return "", 0, ""
    (cause, size), = causes.most_common(1)
    return cause, size / causes.total(), sites.most_common(1)[0][0]


def fill(result: Result, report: dict[str, Any], folded: list[str], pids: list[int]) -> None:
    page = report["host"]["page_size"]
    workers = [p for p in report["processes"] if p["pid"] in pids]
    if len(workers) != len(pids):
        raise Failed("not all workers are in the report")
    result.copied = sum(p["copied_bytes"] for p in workers) / len(workers)
    result.copies = result.copied / page
    every = {p["pid"] for p in report["processes"] if p["ppid"] == result.master and p["forked"] and p["python"]}
    result.recycled = len(every - set(pids)) if result.master else 0
    result.copied_by_all = sum(p["copied_bytes"] for p in report["processes"] if p["pid"] in every)
    result.cause, result.cause_share, result.site = top_of(folded, every | set(pids))
    result.lost = report["capture"]["lost"]
    result.advice = [(a["rule"], a["bytes_per_process_upper_bound"]) for a in report["advice"]]


def look(result: Result, it: Service, watcher: watch.Watch, work: bool) -> None:
    """Before the work and after it."""
    result.before = mean([watch.read(pid) for pid in it.pids])
    result.all_before = sum(m.pss for pid in watch.family(it.master) if (m := watch.read(pid)))
    result.master_before = (watch.read(it.master) or result.before).private
    result.marks.append(time.monotonic() - watcher.start)
    if work:
        it.work()
        if it.scenario.gunicorn is not None:
            it.pids = wait_for("all there again", it.all_there, it.process)
    result.marks.append(time.monotonic() - watcher.start)
    result.after = mean([watch.read(pid) for pid in it.pids])
    result.all_after = sum(m.pss for pid in watch.family(it.master) if (m := watch.read(pid)))
    result.master_after = (watch.read(it.master) or result.after).private
    watcher.look()


def run(scenario: Scenario, workers: int, items: int) -> Result:
    items = max(int(items * scenario.share), 20_000)
    result = Result(workers)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cowtrace-lab-") as place:
        prepare(scenario, items, place)
        result.data = size_of(scenario, items, place)
        js, folded = Path(place, "report.json"), Path(place, "stacks.folded")
        cowtrace = [str(COWTRACE), "run", "-q", "--json", str(js), "--folded", str(folded), "--"]
        with service(scenario, workers, items, place, cowtrace) as it:
            with watch.Watch(it.master, 0.05 if it.small else 0.25) as watcher:
                it.wait_until_up()
                result.master = it.master
                look(result, it, watcher, scenario.how != "idle")
                pids = list(it.pids)
            it.end()
            if not js.exists():
                raise Failed("cowtrace left no report: " + Path(place, "log").read_text()[-500:])
            fill(result, json.loads(js.read_text()), folded.read_text().splitlines(), pids)
        result.rows = watcher.rows
    result.seconds = time.monotonic() - began
    return result


@functools.lru_cache(maxsize=None)
def has(module: str) -> bool:
    return not subprocess.run([PYTHON, "-c", f"import {module}"], capture_output=True, env=ENVIRONMENT).returncode


def missing(scenario: Scenario) -> str | None:
    """Why it can not be run here."""
    for module in (*scenario.needs, *(("flask", "gunicorn") if scenario.gunicorn is not None else ())):
        if not has(module):
            return f"no {module} for {PYTHON}: scripts/setup lab"
    return None


if __name__ == "__main__":
    sys.exit("run scripts/lab")
