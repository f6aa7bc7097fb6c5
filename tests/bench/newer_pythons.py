# SPDX-License-Identifier: MIT
"""The storm of Python in other CPythons, where `make matrix` has left some below build/chroot: none is fetched for this."""
from __future__ import annotations

import subprocess
from typing import Any

import copies
import tools
from tools import ROOT

VERSIONS = ("3.13", "3.14")
DEPTH = 10

# In a mount namespace of its own: the tree's own /proc, and this repository below its /mnt.
ENTER = """
tree=$1 && shift && mkdir -p "$tree/mnt" && mount -t proc proc "$tree/proc" && mount --bind "$ROOT" "$tree/mnt" &&
exec chroot "$tree" "$@"
"""


def command_of(version: str) -> list[str] | None:
    """None: there is none that runs."""
    tree = ROOT / "build/chroot" / version / "tree"
    enter = ["unshare", "--mount", "env", f"ROOT={ROOT}", "sh", "-c", ENTER, "sh", str(tree), f"/usr/bin/python{version}"]
    if subprocess.run([*enter, "-c", "pass"], capture_output=True).returncode:
        return None
    return [*enter, "/mnt/tests/bench/storm.py"]


def rows(rounds: int, quick: bool) -> list[dict[str, Any]]:
    whole = tools.whole(tools.witnesses()[0], True)
    pages = 10007 if quick else 20011
    perf = [tools.perf()] if tools.PERF else []
    found = [copies.python_storm(command, pages, DEPTH, [tools.UNTRACED, whole, *perf], f"Python {DEPTH}, {version}", "")
             for version in VERSIONS if (command := command_of(version))]
    copies.measure(found, rounds)
    return copies.rows(found)
