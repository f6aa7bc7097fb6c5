#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""programs.py [--json] [--pieces LAST] [--witness NAME] [--plain-reads] [storm | python | python:DEPTH | flask]: what each BPF program of
cowtrace takes: ns of one run, runs and ns for each copied page (kernel.bpf_stats_enabled), in the C storm, in Python's,
or in the Flask service of `make bench` while its sharing erodes.

What the programs do while the storm gets ready is not in it: the storm runs once with one child and once with some more,
and the difference is shown. All of the machine's faults run them: where others are busy, runs per copy are more, and shorter
in the mean; ns per copy hold what those others took. The counting itself takes time (two looks at the clock for each run) and is in the numbers:
compare them with each other, before and after a change. Other cowtraces that run meanwhile are left out. Needs root,
bpftool, and a build.
"""
from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import requests_made
import tools

ROOT = Path(__file__).resolve().parents[2]
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
BPFTOOL = os.environ.get("BPFTOOL", "/usr/sbin/bpftool")
CHILDREN = 4
Runs = dict[str, tuple[int, int]]  # by program: runs, and ns of all of them


def held_by(pid: int) -> set[int]:
    """The ids of the programs that a process holds."""
    ids: set[int] = set()
    for place in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed by now
            ids.update(int(line.split()[1]) for line in place.read_text().splitlines() if line.startswith("prog_id:"))
    return ids


def runs(pid: int) -> Runs:
    shown = json.loads(subprocess.run([BPFTOOL, "-j", "prog", "show"], check=True, capture_output=True).stdout)
    ours = held_by(pid)
    return {p["name"]: (p.get("run_cnt", 0), p.get("run_time_ns", 0)) for p in shown if p["id"] in ours}


def command_of(work: str, children: int) -> list[str]:
    if work == "storm":
        return [str(ROOT / "build/targets/storm"), "100003", str(children)]
    python = os.environ.get("PYTHON", "/usr/bin/python3")
    return [python, str(ROOT / "tests/bench/storm.py"), "20011", work.partition(":")[2] or "10", str(children)]


def one(work: str, children: int) -> tuple[Runs, int]:
    """What the programs of cowtrace, which has started this one, do while it runs; and how many copies it makes."""
    before = runs(os.getppid())
    done = subprocess.run(command_of(work, children), check=True, capture_output=True, text=True).stdout
    after = runs(os.getppid())
    return {name: (now[0] - before[name][0], now[1] - before[name][1]) for name, now in after.items()}, \
        json.loads(done)["copies"]


def inside(out: str, work: str) -> None:
    """What cowtrace runs. The first time files are read, and more is different."""
    one(work, 1)
    (few, copies), (many, more) = one(work, 1), one(work, 1 + CHILDREN)
    rows = {name: (n - few[name][0], ns - few[name][1]) for name, (n, ns) in many.items()}
    Path(out).write_text(json.dumps({"runs": rows, "copies": more - copies}))


@contextlib.contextmanager
def stats() -> Iterator[None]:
    before = STATS.read_text()
    STATS.write_text("1")
    try:
        yield
    finally:
        STATS.write_text(before)


def rows_of(found: Runs, copies: int) -> list[dict[str, float]]:
    """One row for each program that ran, the dearest first."""
    rows = [{"program": name, "runs": n, "ns_per_run": ns / n, "runs_per_copy": n / copies, "ns_per_copy": ns / copies}
            for name, (n, ns) in found.items() if n > 0]
    return sorted(rows, key=lambda row: -row["ns_per_copy"])


def profile(work: str, options: list[str]) -> tuple[list[dict], int]:
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as place, stats():
        out = Path(place, "out")
        subprocess.run([tools.COWTRACE, "run", "-q", *options, "--", sys.executable, __file__, "--inside", out,
                        work], check=True)
        found = json.loads(out.read_text())
    return rows_of(found["runs"], found["copies"]), found["copies"]


def profile_flask() -> tuple[list[dict], int]:
    gunicorn = shutil.which("gunicorn", path="/usr/bin") or sys.exit("programs: no gunicorn here: scripts/setup bench")
    with requests_made.Service(gunicorn, 2_000_000, 10_000) as flask, tempfile.TemporaryDirectory() as place, stats():
        flask.rate()
        flask.share_anew()
        report = Path(place, "report")
        with requests_made.attached(flask.process.pid, report) as (daemon, _):
            before = runs(daemon.pid)
            flask.rate()
            after = runs(daemon.pid)
        copies = json.loads(report.read_text())["capture"]["copies"]
    return rows_of({name: (n - before[name][0], ns - before[name][1]) for name, (n, ns) in after.items()}, copies), copies


def measure(options: argparse.Namespace) -> list[dict]:
    """For `make bench`."""
    return [{"work": work, "copies": copies, **row} for work in ("storm", "python", "flask")
            for rows, copies in [profile_flask() if work == "flask" else profile(work, [])]
            for row in rows if row["ns_per_copy"] >= 1]


def show(rows: list[dict], copies: int) -> None:
    print(f"{copies:,} copies\n{'program':20}{'ns per run':>12}{'runs per copy':>15}{'ns per copy':>13}")
    for row in rows:
        print(f"{row['program']:20}{row['ns_per_run']:12,.0f}{row['runs_per_copy']:15.3f}{row['ns_per_copy']:13,.1f}")
    print(f"{'all':20}{'':27}{sum(row['ns_per_copy'] for row in rows):13,.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="What each BPF program of cowtrace takes.")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pieces")
    parser.add_argument("--witness")
    parser.add_argument("--plain-reads", action="store_true", help="not by way of the kernel's own map of memory")
    parser.add_argument("work", nargs="?", default="storm", help="storm, python, python:DEPTH or flask")
    options = parser.parse_args()
    if options.inside:
        inside(options.inside, options.work)
        return
    passed = [word for name in ("pieces", "witness") if getattr(options, name)
              for word in (f"--{name}", getattr(options, name))]
    passed += ["--plain-reads"] if options.plain_reads else []
    rows, copies = profile_flask() if options.work == "flask" else profile(options.work, passed)
    if options.json:
        print(json.dumps({"work": options.work, "copies": copies, "programs": rows}, indent=2))
    else:
        show(rows, copies)


if __name__ == "__main__":
    main()
