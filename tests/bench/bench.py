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
from typing import Any

import copies
import daemon
import machine
import pythons
import service
import table
import unwatched
from figures import Goal

SCHEMA = 1
Found = tuple[list[str], dict[str, Any], list[Goal]]  # as text, as JSON, what it says of the goals


def storms(options: argparse.Namespace) -> Found:
    works = copies.works(options.python, options.quick)
    copies.measure(works, options.rounds)
    rows = copies.rows(works)
    return [*table.copies(rows), *table.counted(rows)], {"copies": rows}, copies.goals(rows)


def other_pythons(options: argparse.Namespace) -> Found:
    rows = pythons.rows(options.rounds, options.quick)
    return table.copies(rows), {"pythons": rows}, []


def rows_with_goals(name: str, title: str, measure: Callable[[argparse.Namespace], tuple[list[dict[str, Any]], list[Goal]]],
                    ) -> Callable[[argparse.Namespace], Found]:
    def section(options: argparse.Namespace) -> Found:
        rows, goals = measure(options)
        return table.plain(title, rows), {name: rows}, goals

    return section


SECTIONS: dict[str, Callable[[argparse.Namespace], Found]] = {
    "copies": storms,
    "pythons": other_pythons,
    "article": rows_with_goals("article", "The article's loop", service.article),
    "service": rows_with_goals("service", "Flask under gunicorn, at saturation", service.measure),
    "unwatched": rows_with_goals("unwatched", "First touches of pages in a process that is not watched", unwatched.measure),
    "daemon": rows_with_goals("daemon", "The daemon", daemon.measure),
}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small, two rounds: to see that it works")
    parser.add_argument("--rounds", type=int, help="how often each is measured (5)")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="this part; may be repeated")
    parser.add_argument("--json", action="store_true", help="the results as JSON, for keeping")
    parser.add_argument("--python", default=os.environ.get("PYTHON", "/usr/bin/python3"))
    options = parser.parse_args()
    options.rounds = options.rounds or (2 if options.quick else 5)
    if options.rounds < 1:
        parser.error("--rounds is at least 1")
    return options


def main() -> None:
    options = parse()
    text: list[str] = []
    data: dict[str, Any] = {"schema": SCHEMA, "quick": options.quick, "rounds": options.rounds,
                            "on": machine.describe(options.python)}
    goals: list[Goal] = []
    for name in options.only or SECTIONS:
        print(f"bench: {name}", file=sys.stderr, flush=True)
        lines, found, said = SECTIONS[name](options)
        text += lines
        data.update(found)
        goals += said
    if options.json:
        print(json.dumps({**data, "goals": [goal.row() for goal in goals]}, indent=1))
    else:
        print("\n".join([*(f"{k}: {v}" for k, v in data["on"].items() if v), "", *text, *table.goals(goals)]))


if __name__ == "__main__":
    main()
