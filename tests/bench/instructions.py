# SPDX-License-Identifier: MIT
"""Instructions for a copy, as the machine counts them (perf stat): where it does, a regression shows without a clock. In
guests they are counted always: tests/vm/count."""
from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import figures
import tools
from figures import Goal
from requests_made import Rows, value
from tools import ROOT, Tool

PAGES, CHILDREN = 20011, 4


def counted(tool: Tool, command: list[str]) -> int | None:
    """Of the command and all that it forks, the kernel's on its behalf included: BPF programs are among them."""
    with tempfile.NamedTemporaryFile(prefix="cowtrace-bench-") as out:
        tools.run(tool, [tools.PERF, "stat", "-x,", "-e", "instructions:u,instructions:k", "-o", out.name, "--", *command])
        return figures.perf_stat_count(Path(out.name).read_text())


def for_a_copy(tool: Tool, command: list[str]) -> float | None:
    """What more children take: what gets the storm ready is in neither number."""
    few, many = (counted(tool, [*command, str(n)]) for n in (1, 1 + CHILDREN))
    return None if few is None or many is None else (many - few) / (CHILDREN * PAGES)


def measure(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    works = {"C storm": [str(ROOT / "build/targets/storm"), str(PAGES)],
             "Python 10": [options.python, str(ROOT / "tests/bench/storm.py"), str(PAGES), "10"]}
    rows: Rows = []
    for name, command in works.items():
        for tool in (tools.UNTRACED, tools.whole(tools.witnesses()[0], True)):
            found = for_a_copy(tool, command) if tools.PERF else None
            if found is None:
                print("bench: this machine counts no instructions (perf stat); `make bench-vm` does", file=sys.stderr)
                return [], []
            rows.append(value(f"{name}, {tool.name}", [found], "instructions"))
    return rows, []
