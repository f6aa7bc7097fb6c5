# SPDX-License-Identifier: MIT
"""Runs one workload under cowtrace, and judges what cowtrace says about it."""
from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from versions import Interpreter, cow

PAGE = 4096
UNKNOWN_MAX = 1.0  # per cent of all copies
PROVEN_MIN = 95.0  # per cent of all copies
LINES_MIN = 99.0  # per cent of what the workers copied


@dataclass(frozen=True)
class Workload:
    name: str
    script: str
    title: str
    needs: tuple[str, ...] = ()


WORKLOADS = (
    Workload("documents", "documents.py", "JSON documents in dicts"),
    Workload("dataclasses", "records.py", "dataclasses"),
    Workload("slots", "slots.py", "dataclasses with `__slots__`"),
    Workload("templates", "templates.py", "`re` and Jinja2", ("jinja2",)),
    Workload("sqlite3", "rows.py", "sqlite3 rows", ("sqlite3",)),
    Workload("pandas", "frames.py", "pandas, object columns", ("pandas",)),
    Workload("flask", "web.py", "Flask request loop", ("flask",)),
    # The same application, asked over HTTP: gunicorn_load.py.
    Workload("gunicorn", "", "gunicorn --preload", ("flask", "gunicorn")),
    Workload("gunicorn-end", "", "the same, and the workers end", ("flask", "gunicorn")),
)
GC = ("default", "freeze", "disable")


@dataclass
class Cell:
    """What one run said: in bytes and per cent, of the workers together unless it says otherwise."""

    workload: str
    version: str
    gc: str
    numpy: bool
    missing: str | None = None
    python: str = ""
    modules: dict[str, str] = field(default_factory=dict)
    answer: int = 0
    workers: int = 0
    collections: list[int] = field(default_factory=list)  # by one worker, by generation
    shared: int = 0  # when they were forked
    copied: dict[str, int] = field(default_factory=dict)  # by cause
    refcount_of: dict[str, int] = field(default_factory=dict)  # by type
    details: dict[str, int] = field(default_factory=dict)  # "cause detail certainty": copies of all processes
    without_line: int = 0
    copies: int = 0  # of all processes, as all below
    kernel_copies: int | None = None
    uncounted: int = 0  # copies that the kernel never counts
    kernel_reason: str | None = None  # why there is none
    lost: int = 0
    proven: int = 0
    unknown: int = 0

    @property
    def key(self) -> str:
        return "-".join((self.workload, self.version, self.gc, "numpy" if self.numpy else "plain"))

    @property
    def total(self) -> int:
        return sum(self.copied.values())

    @property
    def with_line(self) -> float:
        """Per cent of what the workers copied."""
        return percent(self.total - self.without_line, self.total)

    def per_worker(self, cause: str | None = None) -> float:
        """MiB that a worker copied on average."""
        size = self.total if cause is None else self.copied.get(cause, 0)
        return size / self.workers / (1 << 20)

    @property
    def closed(self) -> bool:
        """The kernel counted as many, but for what it never counts."""
        return self.kernel_copies == self.copies - self.uncounted

    def failures(self) -> list[str]:
        """Why the run does not pass."""
        found = []
        if self.lost:
            found.append(f"{self.lost} copies lost")
        if not self.closed:
            found.append(f"{self.copies:,} copies counted, by the kernel {self.kernel_copies}"
                         f"{' (' + self.kernel_reason + ')' if self.kernel_reason else ''}")
        if percent(self.unknown, self.copies) > UNKNOWN_MAX:
            found.append(f"{percent(self.unknown, self.copies):.2f} % unknown, more than {UNKNOWN_MAX} %")
        if percent(self.proven, self.copies) < PROVEN_MIN:
            found.append(f"{percent(self.proven, self.copies):.1f} % proven, less than {PROVEN_MIN} %")
        # No line of Python runs while an interpreter takes itself apart.
        if self.workload != "gunicorn-end" and self.with_line < LINES_MIN:
            found.append(f"{self.with_line:.1f} % of what the workers copied has a line, less than {LINES_MIN} %")
        return found

    def save(self, place: Path) -> None:
        (place / f"{self.key}.cell.json").write_text(json.dumps(asdict(self), indent=1) + "\n")


def percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else 100.0


def load(path: Path) -> Cell:
    return Cell(**json.loads(path.read_text()))


def missing(interpreter: Interpreter, workload: Workload, numpy: bool) -> str | None:
    for module in (*workload.needs, *(["numpy"] if numpy else [])):
        why = interpreter.lacks(module)
        if why:
            return why
    return None


def of_workers(folded: list[str], pids: set[int]) -> tuple[Counter[str], Counter[str], int]:
    """From folded stacks: bytes by cause, bytes of refcount by type, and bytes without a Python line."""
    causes: Counter[str] = Counter()
    types: Counter[str] = Counter()
    without = 0
    for line in folded:
        stack, size = line.rsplit(" ", 1)
        frames = stack.split(";")
        pid = re.search(r"\[(\d+)\]$", frames[0])
        if not pid or int(pid.group(1)) not in pids:
            continue
        cause, _, kind = frames[-1].partition(" ")
        causes[cause] += int(size)
        if cause == "refcount":
            types[kind or "?"] += int(size)
        if not re.search(r":[1-9]\d*\)$", frames[-2]):
            without += int(size)
    return causes, types, without


def warm_up(interpreter: Interpreter, workload: Workload, numpy: bool) -> None:
    """Makes the bytecode, so that no run differs from the next by compiling it."""
    args = ["--workers", "1", "--requests", "1"] + (["--numpy"] if numpy else [])
    subprocess.run(interpreter.argv(workload.script, *args), env=interpreter.environment(),
                   capture_output=True, check=True, timeout=120)


def run(interpreter: Interpreter, workload: Workload, gc: str = "default", numpy: bool = False,
        save: Path | None = None) -> Cell:
    cell = Cell(workload.name, interpreter.version, gc, numpy, missing(interpreter, workload, numpy))
    if cell.missing:
        return cell
    args = ["--gc", gc] + (["--numpy"] if numpy else [])
    with tempfile.TemporaryDirectory(prefix="cowtrace-") as place:
        js, folded = Path(place, "report.json"), Path(place, "stacks.folded")
        argv = [str(cow.COWTRACE), "run", "-q", "--delayacct", "--json", str(js), "--folded", str(folded), "--",
                *interpreter.argv(workload.script, *args)]
        done = subprocess.run(argv, env=interpreter.environment(), capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, f"{cell.key}: status {done.returncode}:\n{done.stdout}{done.stderr}"
        report = json.loads(js.read_text())
        stacks = folded.read_text().splitlines()
        if save:
            (save / f"{cell.key}.report.json").write_text(js.read_text())
            (save / f"{cell.key}.folded").write_text(folded.read_text())
    fill(cell, report, stacks, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")])
    return cell


def reading(interpreter: Interpreter) -> dict[str, int]:
    """Way of reading, and how many of the objects of reading.py were written by it."""
    with tempfile.NamedTemporaryFile(prefix="cowtrace-") as folded:
        done = subprocess.run([str(cow.COWTRACE), "run", "-q", "--folded", folded.name, "--",
                               *interpreter.argv("reading.py")],
                              env=interpreter.environment(), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"reading: status {done.returncode}:\n{done.stderr}"
        stacks = Path(folded.name).read_text().splitlines()
    ways = [json.loads(line) for line in done.stdout.splitlines()]
    return {way["way"]: of_workers(stacks, {way["pid"]})[1]["bytes"] // PAGE for way in ways}


def fill(cell: Cell, report: dict[str, Any], stacks: list[str], truth: list[dict[str, Any]]) -> None:
    master, workers = truth[0], truth[1:]
    pids = {worker["pid"] for worker in workers}
    answers = {worker["answer"] for worker in workers}
    assert len(answers) == 1, f"{cell.key}: the workers' answers differ: {answers}"
    cell.python, cell.modules, cell.workers = master["python"], master["modules"], len(workers)
    cell.answer, cell.collections = answers.pop(), workers[0]["collections"]
    causes, types, cell.without_line = of_workers(stacks, pids)
    cell.copied, cell.refcount_of = dict(causes), dict(types.most_common())
    processes = [p for p in report["processes"] if p["pid"] in pids]
    assert len(processes) == len(pids), f"{cell.key}: not all workers are in the report"
    cell.shared = sum(p["shared_at_fork_bytes"] or 0 for p in processes)
    assert sum(p["copied_bytes"] for p in processes) == cell.total, f"{cell.key}: folded and JSON differ"
    capture = report["capture"]
    cell.copies, cell.kernel_copies = capture["copies"], capture["kernel_copies"]
    cell.kernel_reason, cell.uncounted = capture["kernel_reason"], capture["uncounted_by_kernel"]
    cell.lost, cell.proven = capture["lost"], capture["proven"]
    cell.unknown = cow.total(report["causes"], cause="unknown")
    for row in report["causes"]:
        what = f"{row['cause']} {row['detail'] or '-'} {row['certainty']}"
        cell.details[what] = cell.details.get(what, 0) + row["copies"]
