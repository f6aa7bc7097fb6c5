# SPDX-License-Identifier: MIT
"""What tracing costs per copied page: untraced, under cowtrace, under perf, in turn.

Each workload times its own writes and knows how many pages they copied. Medians over all rounds. The
number that counts is the time that tracing adds to one copy, and its ratio to what perf adds, which takes
a native stack and neither a Python stack nor an object.
"""
from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODES = ("untraced", "cowtrace", "perf")


@dataclass
class Workload:
    name: str
    what: str
    command: list[str]
    ns_per_copy: dict[str, list[float]]


def wrapped(mode: str, command: list[str], perf: str, place: str) -> list[str]:
    if mode == "cowtrace":
        return [str(ROOT / "build/cowtrace"), "run", "-q", "--json", f"{place}/report.json", "--", *command]
    if mode == "perf":
        return [perf, "record", "-q", "-e", "exceptions:page_fault_user", "-c", "1", "-g", "-o",
                f"{place}/perf.data", "--", *command]
    return command


def measure(mode: str, command: list[str], perf: str) -> list[float]:
    """Nanoseconds per copy, one number for each child of the workload."""
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as place:
        done = subprocess.run(wrapped(mode, command, perf, place), capture_output=True, text=True,
                              timeout=300)
        if done.returncode:
            sys.exit(f"bench: {mode}: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        facts = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))
        if mode == "cowtrace":
            lost = json.loads(Path(place, "report.json").read_text())["capture"]["lost"]
            if lost:
                print(f"bench: cowtrace lost {lost:,} copies: the numbers are too good", file=sys.stderr)
    return facts["ns_per_copy"]


def summary(work: Workload) -> dict[str, float]:
    medians = {mode: statistics.median(values) for mode, values in work.ns_per_copy.items()}
    added = {mode: medians[mode] - medians["untraced"] for mode in ("cowtrace", "perf")}
    return {
        **{f"{mode}_ns_per_copy": value for mode, value in medians.items()},
        **{f"{mode}_added_ns_per_copy": value for mode, value in added.items()},
        "ratio_to_perf": added["cowtrace"] / added["perf"],
    }


def show(work: Workload) -> None:
    result = summary(work)
    print(f"\n{work.what}, median of {len(work.ns_per_copy['untraced'])} runs")
    print(f"  {'':10} {'ns per copy':>12} {'added':>10} {'lowest':>10} {'highest':>10}")
    for mode in MODES:
        values = work.ns_per_copy[mode]
        added = "" if mode == "untraced" else f"{result[mode + '_added_ns_per_copy']:+,.0f}"
        print(f"  {mode:10} {result[mode + '_ns_per_copy']:12,.0f} {added:>10} {min(values):10,.0f} "
              f"{max(values):10,.0f}")
    print(f"  cowtrace adds {result['ratio_to_perf']:.2f} of what perf adds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--items", type=int, default=3_000_000, help="ints in the article's list")
    parser.add_argument("--depth", type=int, default=12, help="Python frames on the stack")
    parser.add_argument("--pages", type=int, default=100_003, help="pages of the C storm")
    parser.add_argument("--json", action="store_true", help="results as JSON")
    parser.add_argument("--python", default=os.environ.get("PYTHON", "/usr/bin/python3"))
    parser.add_argument("--perf", default=os.environ.get("PERF", "perf"))
    options = parser.parse_args()
    if options.depth < 4 or options.rounds < 1:
        parser.error("--depth is at least 4, --rounds at least 1")

    works = [
        Workload("storm", f"C storm: {options.pages:,} pages, one byte written to each",
                 [str(ROOT / "build/targets/storm"), str(options.pages), "3"], {m: [] for m in MODES}),
        Workload("loop", f"Python: a loop over {options.items:,} ints, {options.depth} frames deep",
                 [options.python, str(ROOT / "tests/bench/loop.py"), str(options.items),
                  str(options.depth), "3"], {m: [] for m in MODES}),
    ]
    for work in works:  # a machine that has not used its memory yet is slower
        measure("untraced", work.command, options.perf)
    for round_ in range(options.rounds):
        for work in works:
            # Another order in each round, so that none always follows the same one.
            for mode in MODES[round_ % 3 :] + MODES[: round_ % 3]:
                work.ns_per_copy[mode] += measure(mode, work.command, options.perf)
    if options.json:
        print(json.dumps({w.name: {**summary(w), "samples": w.ns_per_copy} for w in works}, indent=2))
    else:
        for work in works:
            show(work)


main()
