# SPDX-License-Identifier: MIT
"""Every CPython that can be had: those of this machine, and Debian's in root file systems of their own."""
from __future__ import annotations

import functools
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from cow import ROOT, TARGETS
import pythons

# What scripts/fetch-python can fetch.
FETCHED = ("3.9", "3.11-dbg", "3.13", "3.13-dbg", "3.14", "3.15", "3.15-dbg")
LOCAL = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")

# A file system that only the traced command sees, over /tmp of the tree: the tree is shared and stays as
# it is.
INTO = """
mount -t proc proc "$1/proc" && mount -t tmpfs none "$1/tmp" && mkdir "$1/tmp/targets" "$1/tmp/programs" \\
"$1/tmp/place" && mount --bind "$2" "$1/tmp/targets" && mount --bind "$3" "$1/tmp/programs" &&
tree=$1 && shift 3 && exec chroot "$tree" "$@"
"""


@dataclass(frozen=True)
class Interpreter:
    label: str
    path: str
    tree: str | None = None
    programs: str = str(TARGETS)  # a directory that the tree has as /tmp/programs

    def command(self, script: str, *args: str, options: Sequence[str] = ()) -> list[str]:
        """Runs a script of tests/targets."""
        if self.tree is None:
            return [self.path, *options, str(TARGETS / script), *args]
        return ["unshare", "--mount", "sh", "-c", INTO, "sh", self.tree, str(TARGETS), self.programs, self.path,
                *options, f"/tmp/targets/{script}", *args]

    def place(self, outside: Path) -> str:
        """An empty directory that the command can write to."""
        return "/tmp/place" if self.tree else str(outside)

    def says(self, expression: str) -> str:
        """What it prints for an expression."""
        inside = [self.path, "-c", f"import sys; print({expression})"]
        argv = ["chroot", self.tree, *inside] if self.tree else inside
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@functools.lru_cache(maxsize=None)
def fetched(version: str) -> Interpreter:
    done = subprocess.run([str(ROOT / "scripts/fetch-python"), version, str(ROOT / "build/chroot")],
                          capture_output=True, text=True, timeout=600)
    if done.returncode == 3:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    tree = done.stdout.strip().splitlines()[-1]
    return Interpreter(f"{version} of Debian", f"/usr/bin/python{version}", tree)


def named(label: str) -> Interpreter:
    """local-3.12, or fetched-3.15-dbg; skips the test if it is not to be had."""
    kind, version = label.split("-", 1)
    if kind == "fetched":
        return fetched(version)
    return Interpreter(label, pythons.need(version))


def labels() -> list[str]:
    """Those that are not on the machine but will be fetched are not named twice."""
    local = [f"local-{v}" for v in LOCAL if pythons.find(v) or v not in FETCHED]
    return local + [f"fetched-{v}" for v in FETCHED]


