# SPDX-License-Identifier: MIT
"""`cowtrace attach`, and programs that wait for it to come and go."""
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cow import COWTRACE, Report, environment, target


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Pipes:
    """A program that is talked to by lines."""

    def __init__(self, command: Sequence[str], env: dict[str, str] | None = None, **kwargs: Any):
        self.process = subprocess.Popen(list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment(env), bufsize=0, **kwargs)
        self.buffer = b""

    @property
    def pid(self) -> int:
        return self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")

    def answer(self, seconds: float = 60) -> Any:
        """The next line, which is JSON."""
        assert self.process.stdout
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"no answer after {seconds} s"
            chunk = os.read(self.process.stdout.fileno(), 65536)
            assert chunk, f"it has ended: {self.process.wait()}"
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def ask(self, line: str) -> Any:
        self.send(line)
        return self.answer()


class Service(Pipes):
    """tests/targets/service.c: a master and its workers."""

    def __init__(self, pages: int = 1009, workers: int = 3, threads: int = 1, **kwargs: Any):
        super().__init__([target("service"), str(pages), str(workers), str(threads)], **kwargs)
        self.workers: list[int] = self.answer()["workers"]

    @property
    def pids(self) -> list[int]:
        return [self.pid, *self.workers]

    def write(self, pages: int) -> int:
        """Each thread of each worker writes so many; returns how many pages have changed."""
        return self.ask(f"write {pages}")["changed"]


class Attached:
    """A `cowtrace attach` that has begun to count."""

    def __init__(self, pids: Sequence[int] | int, args: Sequence[str] = (), wait: bool = True):
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-")
        self.json = Path(self.place.name, "report.json")
        self.err = open(Path(self.place.name, "stderr"), "w+b")  # noqa: SIM115
        pids = [pids] if isinstance(pids, int) else pids
        self.process = subprocess.Popen(
            [str(COWTRACE), "attach", "-v", "--delayacct", "--json", str(self.json), *args,
             "-p", ",".join(map(str, pids))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.err, env=environment(),
        )
        if wait:
            self.wait_until_it_counts()

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()
        self.err.close()
        self.place.cleanup()

    def stderr(self) -> str:
        return Path(self.place.name, "stderr").read_text("utf-8", "replace")

    def wait_until_it_counts(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while "attached: " not in self.stderr():
            assert self.process.poll() is None, self.stderr()
            assert time.monotonic() < end, self.stderr()
            time.sleep(0.01)

    def ends(self, seconds: float = 60) -> Report:
        """It ends by itself, with status 0; returns the report."""
        status = self.process.wait(seconds)
        assert status == 0, f"status {status}; standard error:\n{self.stderr()}"
        return json.loads(self.json.read_bytes().decode("utf-8"))

    def stop(self, sig: signal.Signals = signal.SIGINT) -> Report:
        self.process.send_signal(sig)
        return self.ends()


def process_of(report: Report, pid: int) -> Report:
    found = [p for p in report["processes"] if p["pid"] == pid]
    assert len(found) == 1, f"{len(found)} processes {pid} in {report['processes']}"
    return found[0]
