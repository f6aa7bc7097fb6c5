# SPDX-License-Identifier: MIT
"""A process's memory, read by way of the kernel's own map of it or by the kernel's helper: the same is found."""
from __future__ import annotations

import os
import platform
import subprocess

import pytest

from cow import (COWTRACE, Report, assert_closed, assert_sums, at_line, environment, run_cowtrace, show_sites, target,
                 total)

SAYS = "memory is read by way of the kernel's own map of it"
PATH = target("deep.py")
WAYS = [[], ["--plain-reads"]]


def said(*args: str) -> str:
    return subprocess.run([str(COWTRACE), "run", "-v", *args, "--", "true"], capture_output=True, text=True, check=True,
                          env=environment()).stderr


def test_it_is_used_where_the_kernel_can() -> None:
    release = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert (SAYS in said()) == (release >= (6, 2) and platform.machine() == "x86_64" and memory < 1 << 39)
    assert SAYS not in said("--plain-reads")


def stacks(folded: list[str]) -> dict[str, int]:
    """Of what the target does itself; the rest of a process may do otherwise another time."""
    lines = (line.rsplit(" ", 1) for line in folded if ";descend (" in line and ";read (" in line)
    return {stack.split(";", 1)[1]: int(n) for stack, n in lines}


def sites(report: Report) -> set[tuple[object, ...]]:
    return {(s["file"], s["line"], s["function"], s["cause"], s["type"]) for s in report["sites"]
            if s["file"] == PATH and s["function"] in ("read", "descend")}


@pytest.mark.parametrize("huge", [False, True], ids=["", "huge pages"])
def test_the_same_is_found(python: str, huge: bool) -> None:
    """Huge: the heap lies in pages of 2 MiB, as far as the kernel has some, until they are written to."""
    env = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"} if huge else {}
    runs = [run_cowtrace(way, [python, PATH, "40"], env, fixed_layout=True) for way in WAYS]
    for run in runs:
        assert_closed(run.report)
        assert_sums(run.report)
        assert at_line(run.report, PATH, "read", cause="refcount", type="bytes") == 23, show_sites(run.report)
    assert stacks(runs[0].folded) == stacks(runs[1].folded)
    assert stacks(runs[0].folded)
    assert sites(runs[0].report) == sites(runs[1].report)


@pytest.mark.parametrize("way", WAYS, ids=["", "plain"])
def test_a_program_without_python(way: list[str]) -> None:
    run = run_cowtrace(way, [target("storm"), "1009", "3"])
    assert_closed(run.report)
    assert total(run.report["sites"], cause="buffer") >= 3 * 1009, show_sites(run.report)
