# SPDX-License-Identifier: MIT
"""The BPF objects that the kernel has, and who holds them."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from cow import ROOT

KINDS = ("prog", "map", "link")
Objects = dict[str, set[int]]


def in_kernel() -> Objects:
    """Their numbers, by kind."""
    tool = subprocess.run(["bash", "-c", f". '{ROOT}/scripts/lib.sh'; find_tool bpftool"], capture_output=True,
                          text=True, check=True).stdout.strip()
    found = {}
    for kind in KINDS:
        done = subprocess.run([tool, kind, "show", "-j"], capture_output=True, text=True, check=True)
        found[kind] = {thing["id"] for thing in json.loads(done.stdout)}
    return found


def held() -> Objects:
    """Those that a living process has open: other tests use cowtrace at the same time."""
    found: Objects = {kind: set() for kind in KINDS}
    for path in Path("/proc").glob("[0-9]*/fdinfo/*"):
        try:
            text = path.read_text()
        except OSError:
            continue
        for kind in KINDS:
            found[kind].update(int(n) for n in re.findall(rf"^{kind}_id:\t(\d+)$", text, re.MULTILINE))
    return found


def leaked(before: Objects) -> Objects:
    """What is there since then, and nobody holds."""
    now, open_ones = in_kernel(), held()
    return {kind: now[kind] - before[kind] - open_ones[kind] for kind in KINDS}
