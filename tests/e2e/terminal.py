# SPDX-License-Identifier: MIT
"""A terminal with a shell in it (tmux and dash), whose screen and settings can be read."""
from __future__ import annotations

import re
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cow import COWTRACE, environment

CONFIGURATION = """
set -g status off
set -g escape-time 0
set -g default-terminal tmux-256color
set -g remain-on-exit on
"""


class Terminal:
    """tmux shows what a terminal would show; dash, unlike bash, leaves the terminal's settings alone."""

    def __init__(self, width: int = 100, height: int = 30):
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-tmux-")
        configuration = Path(self.place.name, "conf")
        configuration.write_text(CONFIGURATION)
        self.socket = str(Path(self.place.name, "socket"))
        self.env = environment({"PS1": "prompt$ ", "SHELL": "/bin/sh"})
        self.env.pop("TMUX", None)
        self.tmux("-f", str(configuration), "new-session", "-d", "-x", str(width), "-y", str(height),
                  "exec dash -i")
        self.tty = self.ask("#{pane_tty}")
        self.wait_for(r"prompt\$")

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.tmux("kill-server", check=False)
        self.place.cleanup()

    def tmux(self, *args: str, check: bool = True) -> str:
        done = subprocess.run(["tmux", "-u", "-S", self.socket, *args], env=self.env, text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
        assert not check or done.returncode == 0, f"tmux {args}: {done.stderr}"
        return done.stdout

    def ask(self, what: str) -> str:
        return self.tmux("display-message", "-p", what).strip()

    def keys(self, *names: str) -> None:
        self.tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self.tmux("send-keys", "-l", text)

    def run(self, command: str) -> None:
        self.type(command)
        self.keys("Enter")

    def resize(self, width: int, height: int) -> None:
        self.tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def lines(self) -> list[str]:
        return self.screen().splitlines()

    def wait_for(self, pattern: str, seconds: float = 60) -> re.Match[str]:
        """Until the screen shows it."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen()
            found = re.search(pattern, screen, re.MULTILINE)
            if found:
                return found
            assert time.monotonic() < end, f"{pattern!r} is not on the screen:\n{screen}"
            time.sleep(0.05)

    def settings(self) -> str:
        """But for its size."""
        said = subprocess.run(["stty", "-a", "-F", self.tty], capture_output=True, text=True, check=True)
        return re.sub(r"rows \d+; columns \d+; ", "", said.stdout)

    def state(self) -> tuple[str, str, str]:
        """All that a program can leave behind: settings, alternate screen, hidden cursor."""
        return self.settings(), self.ask("#{alternate_on}"), self.ask("#{cursor_flag}")


class Top(Terminal):
    """`cowtrace top` in a terminal."""

    def __init__(self, args: Sequence[str] = (), width: int = 100, height: int = 30, wait: bool = True):
        super().__init__(width, height)
        self.before = self.state()
        self.pid_file = Path(self.place.name, "pid")
        self.start(args)
        if wait:
            self.wait_for(r"^cowtrace top · .*witness|^cowtrace top · \d+ s")

    def start(self, args: Sequence[str]) -> None:
        command = shlex.join([str(COWTRACE), "top", *args])
        self.run(f"clear; sh -c 'echo $$ >{self.pid_file}; exec {command}'; echo \"status:\" $?")

    def signal(self, sig: signal.Signals) -> None:
        import os

        os.kill(self.pid, sig)

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def ends(self) -> int:
        """The terminal is as it was; returns the status."""
        status = int(self.wait_for(r"status: (\d+)").group(1))
        assert self.state() == self.before
        return status

    def row(self, pattern: str) -> str:
        """The first line that matches."""
        return next(line for line in self.lines() if re.search(pattern, line))
