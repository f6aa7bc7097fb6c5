# SPDX-License-Identifier: MIT
"""Runs the matrix: every cell on every CPython, expected and measured side by side."""
from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cpythons
from cells import CELLS, Cell
from cpythons import Broken, Interpreter, Missing
from cow import Run, line_of, run_cowtrace  # cpythons.py makes tests/e2e importable

HERE = Path(__file__).resolve().parent
Row = dict[str, Any]


@dataclass
class Outcome:
    """What became of one cell on one CPython."""

    name: str
    expected: int = 0
    measured: int = 0
    low: int = 0
    high: int = 0
    why: str = ""  # absent or inexact: CPython's reason; failed: what was seen instead
    absent: bool = False

    @property
    def passed(self) -> bool:
        return self.absent or (self.expected > 0 and self.low <= self.measured <= self.high)

    @property
    def remark(self) -> str:
        if self.absent:
            return f"not there: {self.why}"
        if not self.passed:
            return f"DIFFERS: {self.why}"
        if self.low != self.high:
            return f"between {self.low} and {self.high}: {self.why}"
        return "" if self.measured == self.expected else "as many as became pages of the child's own"


def run_target(python: Interpreter, target: str) -> Run:
    arguments = [python.path(f"tests/matrix/{target}.py")]
    if target == "natives":
        arguments.append(python.path("build/targets/matrix.so"))
    env = {"PYTHONPATH": python.path("tests/targets"), **python.env}
    return run_cowtrace([], python.command(*arguments), env=env)


def at_cell(cell: Cell, row: Row) -> bool:
    if cell.function:
        return row["function"] == cell.function
    path = HERE / f"{cell.target}.py"
    return Path(row["file"] or "").name == path.name and row["line"] == line_of(str(path), cell.mark)


def fits(cell: Cell, row: Row) -> bool:
    details = (cell.detail,) if isinstance(cell.detail, str) else cell.detail or ()
    types = (cell.type,) if isinstance(cell.type, str) else cell.type
    return (
        (row["cause"], row["certainty"], row["origin"]) == (cell.cause, cell.certainty, "fork")
        and (cell.detail is None or row["detail"] in details)
        and (types is None or row["type"] in types)
    )


def describe(rows: list[Row]) -> str:
    seen: Counter[str] = Counter()
    for row in rows:
        words = (row["cause"], row["detail"], row["type"] or "", row["certainty"])
        seen[" ".join(w for w in words if w)] += row["copies"]
    return "; ".join(f"{n} {what}" for what, n in seen.most_common(6)) or "nothing at that line"


def words_of_target(run: Run) -> str:
    """The last line of standard error before the report."""
    words = run.stderr.split("\ncowtrace ")[0].strip().splitlines()
    return words[-1] if words else f"status {run.status}"


def judge(cell: Cell, python: Interpreter, run: Run) -> Outcome:
    for when, why in cell.absent:
        if when(python):
            return Outcome(cell.name, absent=True, why=why)
    said = [t for t in run.truth if t.get("cell") == cell.name]
    out = Outcome(cell.name, expected=sum(t["expected"] for t in said))
    out.low = out.high = out.expected
    if not said:
        out.why = f"the target did not run: {words_of_target(run)}"
        return out
    changed = sum(t["expected"] if t["changed"] is None else t["changed"] for t in said)
    if not out.expected * 0.8 <= changed <= out.expected:
        out.high = -1
        out.why = f"the target itself changed {changed} pages"
        return out
    # What the target saw in its own page table is the truth: the parent may be first to write to a page.
    out.low = out.high = changed
    rows = [r for r in run.report["details"] if at_cell(cell, r)]
    out.measured = sum(r["copies"] for r in rows if fits(cell, r))
    out.why = describe(rows)
    for when, low, high, why in cell.inexact:
        if when(python) and out.measured != changed:
            out.low, out.high = int(out.expected * low), int(out.expected * high)
            out.why = why if out.low <= out.measured <= out.high else out.why
    return out


def closure(runs: list[Run]) -> Outcome:
    """All that was copied, over all targets: as many as the kernel counted."""
    captures = [run.report["capture"] for run in runs]
    out = Outcome("all copies, as the kernel counts", measured=sum(c["copies"] - c["uncounted_by_kernel"] for c in captures))
    out.expected = sum(c["kernel_copies"] or 0 for c in captures)
    out.low = out.high = out.expected
    out.why = f"{sum(c['lost'] for c in captures)} lost"
    return out


def run_again(python: Interpreter, target: str, cells: list[Cell]) -> tuple[Run, list[Outcome]]:
    """Something else may write to a page first (the parent, malloc), and on a busy machine a child may be gone
    before it is looked at. So a target with a cell that differs is run again, twice at most, and each cell has
    to be as expected once. What a rule gets wrong differs each time."""
    judged: list[Outcome] = []
    for _ in range(3):
        run = run_target(python, target)
        now = [judge(c, python, run) for c in cells]
        judged = [old if old.passed else new for old, new in zip(judged, now)] or now
        if all(o.passed for o in judged):
            break
    return run, judged


def measure(python: Interpreter, wanted: list[str]) -> list[Outcome]:
    outcomes, runs = [], []
    cells = [c for c in CELLS if not wanted or c.target in wanted]
    for target in dict.fromkeys(c.target for c in cells):
        here = [c for c in cells if c.target == target]
        if all(any(when(python) for when, _ in c.absent) for c in here):
            outcomes += [judge(c, python, Run(0, "", "", {})) for c in here]
            continue
        run, judged = run_again(python, target, here)
        runs.append(run)
        outcomes += judged
    return [*outcomes, closure(runs)]


def print_table(python: Interpreter, outcomes: list[Outcome]) -> None:
    print(f"\nCPython {python.label} ({python.full})\n{'':36}{'expected':>9}{'measured':>9}")
    for o in outcomes:
        numbers = f"{'-':>9}{'-':>9}" if o.absent else f"{o.expected:9}{o.measured:9}"
        print(f"    {o.name:32}{numbers}  {o.remark}".rstrip())
    sys.stdout.flush()


class Tap:
    def __init__(self) -> None:
        self.n = 0

    def line(self, passed: bool, name: str, remark: str = "") -> None:
        self.n += 1
        print(f"{'ok' if passed else 'not ok'} {self.n} - {name}{remark}", flush=True)

    def results(self, python: Interpreter, outcomes: list[Outcome]) -> None:
        for o in outcomes:
            if not o.absent:
                wrong = "" if o.passed else f": expected {o.expected}, measured {o.measured}; {o.why}"
                self.line(o.passed, f"{python.label} {o.name}{wrong}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="matrix", description=__doc__)
    parser.add_argument("--tap", action="store_true", help="for scripts/test")
    parser.add_argument("--only", default="", metavar="VERSION,...", help=" ".join(cpythons.ALL))
    parser.add_argument("--targets", default="", metavar="TARGET,...")
    parser.add_argument("--prepare", action="store_true", help="only fetch and build the CPythons")
    options = parser.parse_args()
    labels = options.only.split(",") if options.only else cpythons.ALL
    found = cpythons.get_all(labels)
    if options.prepare:
        return 0
    tap, failed, had = Tap(), 0, 0
    there = [p for p in found.values() if isinstance(p, Interpreter)]
    with ThreadPoolExecutor(2) as pool:
        wanted = options.targets.split(",") if options.targets else []
        results = dict(zip((p.label for p in there), pool.map(lambda p: measure(p, wanted), there)))
    for label, python in found.items():
        if isinstance(python, Missing):
            tap.line(True, label, f" # SKIP {python}") if options.tap else print(f"\nCPython {label}: {python}")
            continue
        if isinstance(python, Broken):
            tap.line(False, f"{label}: {python}") if options.tap else print(f"\nCPython {label} FAILED: {python}")
            failed += 1
            continue
        outcomes = results[label]
        tap.results(python, outcomes) if options.tap else print_table(python, outcomes)
        failed += sum(not o.passed for o in outcomes)
        had += 1
    if options.tap:
        print(f"1..{tap.n}")
    else:
        print(f"\n{had} of {len(labels)} CPythons, {failed} cells differ")
    return failed > 0 or not had


if __name__ == "__main__":
    sys.exit(main())
