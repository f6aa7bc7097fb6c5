# SPDX-License-Identifier: MIT
"""What tracing adds to one copied page: storms that do nothing else than to have pages copied, under each tool in turn."""
from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any

import figures
import tools
from figures import Goal
from tools import ROOT, Tool

ALL = "cowtrace"
DEPTHS = (1, 10, 50, 100)


@dataclass
class Samples:
    ns: list[float] = field(default_factory=list)
    runs: list[tools.Run] = field(default_factory=list)
    check: tools.Run | None = None  # one more, not timed, in which the kernel counts as well


@dataclass
class Work:
    """A storm: it takes its own time, and knows how many pages it had copied."""

    name: str
    what: str
    command: list[str]
    tools: list[Tool]
    samples: dict[str, Samples] = field(default_factory=dict)

    def measure(self, tool: Tool) -> None:
        result = tools.run(tool, self.command)
        if result.facts["changed"] != result.facts["copies"]:
            sys.exit(f"bench: {self.name}: {result.facts['copies']} pages were to be copied, the page tables show "
                     f"{result.facts['changed']}")
        got = self.samples.setdefault(tool.name, Samples())
        got.ns += result.facts["ns_per_copy"]
        got.runs.append(result)

    def compare(self, tool: Tool) -> None:
        """The kernel's own counting takes time, so it is off while others are timed."""
        if tool.name.startswith(ALL):
            self.samples[tool.name].check = tools.run(tools.counted(tool), self.command)

    def median(self, tool: str) -> float:
        return figures.spread(self.samples[tool].ns).median

    def added(self, tool: str) -> float | None:
        return self.median(tool) - self.median("untraced") if tool in self.samples else None


def others() -> list[Tool]:
    return ([tools.perf()] if tools.PERF else []) + ([tools.bpftrace()] if tools.BPFTRACE else [])


def python_storm(command: list[str], pages: int, depth: int, tool_list: list[Tool], name: str, what: str) -> Work:
    return Work(name, what, [*command, str(pages), str(depth), "3"], tool_list)


def works(python: str, quick: bool) -> list[Work]:
    found = tools.witnesses()
    whole = [tools.whole(witness, i == 0) for i, witness in enumerate(found)]
    storm_pages, pages = (20011, 10007) if quick else (100003, 20011)
    script = [python, str(ROOT / "tests/bench/storm.py")]
    made = [Work("C storm", f"{storm_pages:,} pages, one byte written to each, no Python",
                 [str(ROOT / "build/targets/storm"), str(storm_pages), "3"],
                 [tools.UNTRACED, *tools.pieces(), *whole, *others()])]
    for depth in (1, 10, 100) if quick else DEPTHS:
        parts = tools.pieces() if depth == 10 else []
        made.append(python_storm(script, pages, depth, [tools.UNTRACED, *parts, *whole, *others()], f"Python {depth}",
                                 f"{pages:,} ints, one on each page, referred to {depth} frames deep"))
    return made


def measure(found: list[Work], rounds: int) -> None:
    for work in found:  # a machine that has not used its memory yet is slower
        tools.run(tools.UNTRACED, work.command)
    for round_ in range(rounds):
        for work in found:
            by_name = {tool.name: tool for tool in work.tools}
            for name in figures.turns(list(by_name), round_):
                work.measure(by_name[name])
    for work in found:
        for tool in work.tools:
            work.compare(tool)


def total(runs: list[tools.Run], what: str) -> int | None:
    values = [getattr(run, what) for run in runs]
    return None if not values or None in values else sum(values)


def row(work: Work, tool: Tool) -> dict[str, Any]:
    got = work.samples[tool.name]
    spread = figures.spread(got.ns)
    added = spread.median - work.median("untraced")
    return {
        "work": work.name, "tool": tool.name, "ns_per_copy": spread.median, "low": spread.low, "high": spread.high,
        "added_ns": added, "of_untraced": spread.median / work.median("untraced"),
        "of_perf": figures.ratio(added, work.added("perf") or 0),
        "of_bpftrace": figures.ratio(added, work.added("bpftrace") or 0),
        "made": sum(run.facts["changed"] for run in got.runs), "lost": total(got.runs, "lost"),
        "counted": got.check.counted if got.check else None, "kernel": got.check.kernel if got.check else None,
        "samples": got.ns,
    }


def rows(found: list[Work]) -> list[dict[str, Any]]:
    return [row(work, tool) for work in found for tool in work.tools]


def goals(all_rows: list[dict[str, Any]]) -> list[Goal]:
    """Those of issue 8 for one copy."""
    by = {(r["work"], r["tool"]): r for r in all_rows}
    empty = by.get(("Python 10", "empty"), {})
    made = []
    for work, limit in (("Python 10", 0.3), ("Python 50", 0.5)):
        if (work, ALL) in by:
            made.append(Goal(f"{work}: added, of what perf adds", by[work, ALL]["of_perf"], limit, " ×",
                             reason="no perf here", empty=by.get((work, "empty"), {}).get("of_perf")))
    if ("Python 10", ALL) in by:
        made += [Goal("Python 10: a copying fault, of an untraced one", by["Python 10", ALL]["of_untraced"], 1.35, " ×",
                      empty=empty.get("of_untraced")),
                 Goal("Python 10: added, of what bpftrace adds", by["Python 10", ALL]["of_bpftrace"], 0.2, " ×",
                      reason="no bpftrace here", empty=empty.get("of_bpftrace"))]
    counted = [r for r in all_rows if r["kernel"] is not None]
    wrong = sum(abs(r["counted"] - r["kernel"]) for r in counted)
    if counted:
        made += [Goal("copies counted otherwise than by the kernel itself", wrong, 0),
                 Goal("copies lost", sum(r["lost"] for r in counted), 0)]
    return made
