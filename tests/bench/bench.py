# SPDX-License-Identifier: MIT
"""What tracing costs, next to perf and bpftrace. Called by scripts/bench; what it prints is explained in CONTRIBUTING.md.

Everything is measured in rounds, in which the tools take turns; shown are the median of all samples, and between which
two values half of them lie. Ratios are of medians. Numbers of a busy machine are worth little.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_table
import copies
import daemon
import instructions
import machine
import newer_pythons
import programs
import requests_made
import unwatched
from figures import Goal

SCHEMA = 1
Found = tuple[list[str], dict[str, Any], list[Goal]]  # as text, as JSON, what it says of the goals


def storms(options: argparse.Namespace) -> Found:
    works = copies.works(options.python, options.quick)
    copies.measure(works, options.rounds)
    rows = copies.rows(works)
    return [*bench_table.copies(rows), *bench_table.counted(rows)], {"copies": rows}, copies.goals(rows)


def other_pythons(options: argparse.Namespace) -> Found:
    rows = newer_pythons.rows(options.rounds, options.quick)
    return bench_table.copies(rows), {"pythons": rows}, []


def rows_with_goals(name: str, title: str, measure: Callable[[argparse.Namespace], tuple[list[dict[str, Any]], list[Goal]]],
                    ) -> Callable[[argparse.Namespace], Found]:
    def section(options: argparse.Namespace) -> Found:
        rows, goals = measure(options)
        return bench_table.plain(title, rows), {name: rows}, goals

    return section


def bpf_programs(options: argparse.Namespace) -> Found:
    rows = programs.measure(options)
    cells = [("The BPF programs, with the time to look at the clock", "ns per run", "runs per copy", "ns per copy")]
    cells += [(f"  {r['work']}: {r['program']}", f"{r['ns_per_run']:,.0f}", f"{r['runs_per_copy']:.2f}",
               f"{r['ns_per_copy']:,.0f}") for r in rows]
    return [*bench_table.columns(cells, 3), ""], {"programs": rows}, []


SECTIONS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "copies": storms,
    "pythons": other_pythons,
    "programs": bpf_programs,
    "instructions": rows_with_goals("instructions", "Instructions for a copy", instructions.measure),
    "article": rows_with_goals("article", "The article's loop", requests_made.article),
    "service": rows_with_goals("service", "Flask under gunicorn, at saturation", requests_made.measure),
    "unwatched": rows_with_goals("unwatched", "First touches of pages in a process that is not watched", unwatched.measure),
    "daemon": rows_with_goals("daemon", "The daemon", daemon.measure),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small, two rounds: to see that it works")
    parser.add_argument("--rounds", type=int, help="how often each is measured (5)")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this part; may be repeated")
    parser.add_argument("--json", action="store_true", help="the results as JSON, for keeping")
    parser.add_argument("--keep", type=Path, metavar="FILE",
                        help="puts the results into this JSON file, in place of what it has of the same parts")
    parser.add_argument("--python", default=os.environ.get("PYTHON", "/usr/bin/python3"))
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def keep(path: Path, data: dict[str, Any]) -> None:
    """Without the samples. What was measured in parts, as a machine is seldom quiet for long, comes together there."""
    old = json.loads(path.read_text()) if path.exists() else {"goals": []}
    for name in set(data) & set(SECTIONS):
        data[name] = [{k: v for k, v in row.items() if k != "samples"} for row in data[name]]
    goals = [goal for goal in old["goals"] if goal["part"] not in data] + data["goals"]
    data["on"] = {**old.get("on", {}), **{k: v for k, v in data["on"].items() if v}}
    path.write_text(json.dumps({**old, **data, "goals": goals}, indent=1, ensure_ascii=False) + "\n")


def main() -> None:
    options = parse()
    text: list[str] = []
    data: dict[str, Any] = {"schema": SCHEMA, "quick": options.quick, "rounds": options.rounds,
                            "on": machine.describe(options.python), "goals": []}
    goals: list[Goal] = []
    for name in options.only or SECTIONS:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        lines, found, said = SECTIONS[name](options)
        text += lines
        data.update(found)
        goals += said
        data["goals"] += [{"part": name, **goal.row()} for goal in said]
    if options.keep:
        keep(options.keep, data)
    if options.json:
        print(json.dumps(data, indent=1))
    else:
        print("\n".join([*(f"{k}: {v}" for k, v in data["on"].items() if v), "", *text, *bench_table.goals(goals)]))


if __name__ == "__main__":
    main()
