# SPDX-License-Identifier: MIT
"""What a run in the guest left, and what is compared with it."""
from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import cow  # noqa: E402

Row = dict[str, Any]


@dataclass(frozen=True)
class Bound:
    """Where no single number is right; why not."""

    low: int
    high: int
    why: str

    def __str__(self) -> str:
        return f"{self.low} to {self.high} ({self.why})"


@dataclass(frozen=True)
class Check:
    what: str
    expected: Any
    measured: Any
    truth: Any = None  # where expected is what a witness that is blind for some sees

    @property
    def ok(self) -> bool:
        if isinstance(self.expected, Bound):
            return isinstance(self.measured, int) and self.expected.low <= self.measured <= self.expected.high
        return bool(self.expected == self.measured)


@dataclass
class Result:
    """One test: a case, by one witness, on one kernel."""

    kernel: str
    witness: str
    case: str
    checks: list[Check] = field(default_factory=list)
    skip: str = ""
    problem: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        return f"{self.kernel} {self.witness} {self.case}"

    @property
    def wrong(self) -> list[str]:
        words = [f"{c.what}: expected {c.expected}, measured {c.measured}" for c in self.checks if not c.ok]
        return ([self.problem] if self.problem else []) + words

    @property
    def ok(self) -> bool:
        return not self.wrong and bool(self.checks or self.skip)


def objects(text: str) -> list[Row]:
    """The lines of JSON among others."""
    found = []
    for line in text.splitlines():
        try:
            value = json.loads(line) if line.startswith("{") else None
        except json.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            found.append(value)
    return found


class Run:
    """One `cowtrace run` in a guest: its files are OUT/NAME.*."""

    def __init__(self, out: Path, name: str):
        self.base = out / name
        self.status = self.text("status").strip()
        self.stderr = self.text("stderr").strip()
        try:
            self.report: Row = json.loads(self.text("json"))
        except json.JSONDecodeError:
            self.report = {}
        self.folded = [x for x in map(self.copies_of, self.text("folded").splitlines()) if x]
        # Programs that the kernel skipped (preemption): copies that it says it may have missed.
        found = re.search(r"skipped them (\d+) times", self.stderr)
        self.skipped = int(found[1]) if found else 0

    def text(self, what: str) -> str:
        path = self.base.with_name(f"{self.base.name}.{what}")
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @staticmethod
    def copies_of(line: str) -> tuple[int, str, str, int] | None:
        """pid, leaf function, cause, copies of a folded line."""
        stack, _, size = line.rpartition(" ")
        parts = stack.split(";")
        pid = re.search(r"\[(\d+)\]$", parts[0])
        if len(parts) < 3 or not pid:
            return None
        return int(pid[1]), parts[-2], parts[-1].split(" ")[0], int(size) // cow.PAGE

    def explain(self) -> str:
        """Why there is no report."""
        lines = [x for x in self.stderr.splitlines() if x]
        return lines[-1] if lines else f"status {self.status or 'missing'}"

    def family(self, pid: int) -> set[int]:
        found = {pid}
        for row in self.report["processes"]:  # parents come before what they fork
            if row["ppid"] in found:
                found.add(row["pid"])
        return found


class Got:
    """One case of a run: what it said itself, and the copies of its processes."""

    def __init__(self, run: Run, kernel: str, witness: str, said: list[Row], end: Row):
        self.run, self.report, self.kernel, self.witness = run, run.report, kernel, witness
        self.said, self.status = said, end["status"]
        self.pids = run.family(end["pid"]) if run.report else set()

    def writes(self, function: str, cause: str | None = None) -> int:
        return sum(n for pid, leaf, why, n in self.run.folded
                   if pid in self.pids and leaf == function and cause in (None, why))

    def details(self, **want: Any) -> int:
        return cow.total(self.report["details"], **want)

    def line(self, path: str, mark: str, **want: Any) -> int:
        return cow.at_line(self.report, cow.target(path), mark, **want)

    def processes(self) -> list[Row]:
        return [p for p in self.report["processes"] if p["pid"] in self.pids]

    @property
    def changed(self) -> Any:
        """One number, or a list where several processes speak."""
        found = [x["changed"] for x in self.said if "changed" in x]
        return found[0] if len(found) == 1 else sorted(found)

    @property
    def skip(self) -> str:
        return next((x["skip"] for x in self.said if "skip" in x), "")


def cases_of(run: Run, kernel: str, witness: str) -> dict[str, Got]:
    """By name: what tests/vm/batch.c ran."""
    found, said = {}, []
    for row in objects(run.text("stdout")):
        if "case" in row:
            found[row["case"]] = Got(run, kernel, witness, said, row)
            said = []
        else:
            said.append(row)
    return found
