# SPDX-License-Identifier: MIT
"""What is watched while it soaks. Each service begins as a shell that waits to be told to go on, so that it is watched
before it does anything, and runs as a group of users of its own, by which the kernel's count is known as its."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from kernel import Ended, ended

from cow import environment, target, wait_for
from serving import OPENER, free_port

HERE = Path(__file__).resolve().parent
FIRST_GROUP = 64100
PYTHON = "/usr/bin/python3"


def free_pids(count: int) -> int:
    """The first of so many pids in a row that nobody has: far from those that the kernel gives out next."""
    limit = min(int(Path("/proc/sys/kernel/pid_max").read_text()), 4 << 20)
    now = int(Path("/proc/sys/kernel/ns_last_pid").read_text())
    first = now + limit // 2
    while True:
        first = first % (limit - count) if first % (limit - count) > 1000 else 1000
        if not any(not ended(pid) for pid in range(first, first + count)):
            return first
        first += count


class Service:
    made = 0

    def __init__(self, name: str, command: Sequence[str], kernel: Ended, env: dict[str, str] | None = None):
        Service.made += 1
        self.name, self.gid = name, FIRST_GROUP + Service.made
        self.process = subprocess.Popen(["/bin/sh", "-c", 'read go; exec "$@"', "sh", *command], env=environment(env),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, group=self.gid)
        wait_for("the shell waits", lambda: Path(f"/proc/{self.process.pid}/wchan").read_text() not in ("", "0"))
        self.before = kernel.so_far(self.process.pid)

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def go(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def stop(self) -> int:
        """In order; how many pages it has written to, that it knows of."""
        self.process.stdin.close()
        said = json.loads(self.process.stdout.readline())
        assert self.process.wait(60) == 0, f"{self.name} has ended with status {self.process.returncode}"
        return said["written"]


class Gunicorn(Service):
    """Workers that are replaced after a few requests each, and clients."""

    def __init__(self, kernel: Ended, requests: int):
        program = shutil.which("gunicorn", path="/usr/bin")
        assert program, "gunicorn is missing; scripts/setup test installs it"
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-soak-")
        os.chmod(self.place.name, 0o755)
        for name in ("flask_app.py", "truth.py"):
            shutil.copy(target(name), self.place.name)
        self.port = free_port()
        super().__init__("gunicorn", [
            PYTHON, program, "--preload", "-w", "2", "--max-requests", str(requests), "--log-level", "critical",
            "-b", f"127.0.0.1:{self.port}", "--chdir", self.place.name, "flask_app:app"], kernel, {"BIG_N": "20011"})
        self.over = threading.Event()
        self.answers = self.failures = 0
        self.client = threading.Thread(target=self.load)

    def __exit__(self, *_: object) -> None:
        self.over.set()
        if self.client.is_alive():
            self.client.join()
        super().__exit__()
        self.place.cleanup()

    def load(self) -> None:
        while not self.over.is_set():
            try:
                with OPENER.open(f"http://127.0.0.1:{self.port}/sum", timeout=60) as answer:
                    answer.read()
                self.answers += 1
            except OSError:
                self.failures += 1  # a worker that has just ended
            self.over.wait(0.1)

    def go(self) -> None:
        super().go()
        wait_for("gunicorn answers", self.is_up)
        self.client.start()

    def is_up(self) -> bool:
        try:
            with OPENER.open(f"http://127.0.0.1:{self.port}/pid", timeout=60) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self) -> int:
        self.over.set()
        self.client.join()
        self.process.terminate()
        self.process.wait(60)
        return 0
