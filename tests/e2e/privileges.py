# SPDX-License-Identifier: MIT
"""cowtrace as an ordinary user with some capabilities, and no others."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from cow import COWTRACE, ROOT, TARGETS, Run, environment

# The one table of them.
ROWS = re.findall(r"^PRIVILEGE\((\w+), (\w+),", (ROOT / "user/model/privileges.def").read_text(), re.MULTILINE)
ALL = [name for name, _ in ROWS]
NEEDED = [name for name, need in ROWS if need == "TRACE"]
USEFUL = [name for name, need in ROWS if need == "SEE"]


def without(*names: str) -> list[str]:
    return [name for name in ALL if name not in names]


class Place:
    """A directory in which nobody can run cowtrace and the targets."""

    def __init__(self, path: Path):
        self.path = path
        self.program = Path(shutil.copy(COWTRACE, path / "cowtrace"))
        self.targets = Path(shutil.copytree(TARGETS, path / "targets"))
        self.out = path / "out"
        self.out.mkdir()
        shutil.chown(self.out, "nobody")

    def target(self, name: str) -> str:
        return str(self.targets / name)

    def call(self, caps: Sequence[str], *argv: str, ambient: bool = True,
             env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        """cowtrace ARGV as nobody, with these capabilities."""
        sets = "-all" + "".join(f",+{cap.lower()}" for cap in caps if ambient)
        done = subprocess.run(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", f"--inh-caps={sets}",
             f"--ambient-caps={sets}", "--", str(self.program), *argv],
            capture_output=True, text=True, timeout=120, env=environment(env), cwd=self.out,
            stdin=subprocess.DEVNULL, errors="surrogateescape",
        )
        assert "setpriv:" not in done.stderr, done.stderr
        return done

    def run(self, caps: Sequence[str], *command: str, options: Sequence[str] = (), ambient: bool = True,
            env: dict[str, str] | None = None) -> Run:
        report = self.out / "report.json"
        report.unlink(missing_ok=True)
        done = self.call(caps, "run", "--json", str(report), *options, "--", *command, ambient=ambient, env=env)
        assert report.exists(), f"no report; status {done.returncode}: {done.stderr}"
        return Run(done.returncode, done.stdout, done.stderr, json.loads(report.read_text()))


def need_shared(python: str) -> str:
    """An interpreter that others than root can run."""
    if not str(Path(python).resolve()).startswith("/usr/"):
        pytest.skip(f"{python} can not be run by others")
    return python
