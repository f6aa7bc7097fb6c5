# SPDX-License-Identifier: MIT
"""A line on the terminal that says how far cowtrace has come, and nothing of it anywhere else."""
from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

from attached import Service
from cow import COWTRACE, environment, run_cowtrace, target

ERASE = "\r\x1b[K"


class Pty:
    """A program in the foreground of a terminal of its own."""

    def __init__(self, *command: str):
        self.text = ""
        self.end = time.monotonic() + 60
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(command[0], command, environment({"TERM": "xterm"}))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("4H", 24, 132, 0, 0))

    def __enter__(self) -> Pty:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)  # and whatever still runs is hung up

    def read(self) -> bool:
        ready, _, _ = select.select([self.fd], [], [], max(0, self.end - time.monotonic()))
        assert ready, self.text
        try:
            self.text += os.read(self.fd, 65536).decode()
        except OSError:  # the other end is closed
            return False
        return True

    def wait_for(self, pattern: str) -> re.Match[str]:
        while not re.search(pattern, self.text):
            assert self.read(), self.text
        found = re.search(pattern, self.text)
        assert found
        return found

    def ends(self) -> int:
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_attach_says_what_it_has_seen() -> None:
    with Service(workers=3) as service, Pty(str(COWTRACE), "attach", "-p", str(service.pid)) as cowtrace:
        line = rf"attached to service 1009 3 1 \[{service.pid}\] and 3 more · \d+ s · %s lost"
        cowtrace.wait_for(line % r"0 copies \(0\.0 MiB\) · 0")
        service.write(101)
        cowtrace.wait_for(line % r"(30[3-9]|3[12]\d) copies \(1\.\d MiB\) · 0")
        service.ask("kill")
        cowtrace.wait_for(r"and 2 more ·")
        os.kill(cowtrace.pid, signal.SIGINT)
        assert cowtrace.ends() == 0
    # Each line but the first replaces the one before, and the report replaces the last.
    lines = cowtrace.text.split(ERASE)
    assert lines[-1].startswith("cowtrace ")
    assert "SHARING BROKEN" in lines[-1]
    assert not any("\n" in line for line in lines[:-1]), lines[:-1]
    assert len([line for line in lines if line.startswith("attached to ")]) >= 3


def test_nothing_of_it_if_it_is_to_be_quiet() -> None:
    with Service() as service, Pty(str(COWTRACE), "attach", "-q", "-p", str(service.pid), "--for", "2.5") as cowtrace:
        assert cowtrace.ends() == 0
    assert cowtrace.text == ""


def test_nothing_of_it_where_there_is_no_terminal() -> None:
    with Service() as service:
        done = subprocess.run([str(COWTRACE), "attach", "-p", str(service.pid), "--for", "2.5"], text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert "attached to" not in done.stderr
    assert "\r" not in done.stderr and "\x1b" not in done.stderr


def test_nothing_of_it_in_the_background() -> None:
    script = "set -m; {} attach -p {} --for 2.5 & wait"
    with Service() as service, Pty("/bin/sh", "-c", script.format(COWTRACE, service.pid)) as shell:
        shell.ends()
    assert "attached to" not in shell.text and "\x1b[K" not in shell.text
    assert shell.text.startswith("cowtrace ") and f"service 1009 3 1 [{service.pid}]" in shell.text


def test_run_leaves_the_terminal_to_the_command(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo one; sleep 2.5; echo two"]
    with Pty(str(COWTRACE), "run", "--", *command) as cowtrace:
        assert cowtrace.ends() == 0
    assert re.search(r"(^|\x1b\[K)one\r\ntwo\r\n", cowtrace.text), cowtrace.text


def test_outputs_and_reports(tmp_path: Path) -> None:
    recording, output = str(tmp_path / "a.cow"), str(tmp_path / "a.json")
    run_cowtrace(["--save", recording], [target("storm"), "101"])
    with Pty(str(COWTRACE), "report", "--json", output, recording) as cowtrace:
        assert cowtrace.ends() == 0
    before, _, after = cowtrace.text.rpartition(ERASE)
    assert before.endswith(f"writing --json {output}")
    assert after.startswith("cowtrace ")
