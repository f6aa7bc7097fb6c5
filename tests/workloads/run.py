# SPDX-License-Identifier: MIT
"""Every workload on every CPython under cowtrace, and the tables of what it says.

A run that does not pass (copies that nobody explains, lines that are missing, a count that is not the kernel's)
is named, and the status is 1. Each result is kept in build/workloads, and the tables are made of all that lies
there.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import sys

import gunicorn_load
import versions
import measure
import tables
from measure import GC, WORKLOADS, Cell

KEPT = versions.ROOT / "build" / "workloads"
RESULTS = versions.ROOT / "tests" / "workloads" / "RESULTS.md"
README = versions.ROOT / "README.md"


def plan(names: list[str], gcs: list[str], arrays: bool) -> list[tuple[measure.Workload, str, bool]]:
    """With each gc; and beside an array with the default one only. pandas has arrays by itself."""
    found = []
    for workload in WORKLOADS:
        if workload.name in names and not workload.script:
            found += [(workload, "default", False)] if "default" in gcs else []
        elif workload.name in names:
            found += [(workload, gc, False) for gc in gcs]
            if arrays and "default" in gcs and workload.name != "pandas":
                found.append((workload, "default", True))
    return found


def show(cell: Cell) -> None:
    if cell.missing:
        print(f"{cell.key}: not measured: {cell.missing}")
        return
    parts = ", ".join(f"{cause} {tables.size(cell.per_worker(cause))}"
                      for cause in tables.CAUSES if cell.copied.get(cause, 0) >= 40960)
    shared = cell.shared / cell.workers / tables.MIB
    print(f"{cell.key}: {cell.per_worker():.1f} of {shared:.1f} MiB per worker: {parts}")
    for why in cell.failures():
        print(f"{cell.key}: FAILED: {why}")
    sys.stdout.flush()


def kept() -> tables.Cells:
    cells = (measure.load(path) for path in sorted(KEPT.glob("*.cell.json")))
    found = {(c.workload, c.version, c.gc, c.numpy): c for c in cells}
    order = {w.name: n for n, w in enumerate(WORKLOADS)}
    return dict(sorted(found.items(), key=lambda item: (order[item[0][0]], versions.VERSIONS.index(item[0][1]),
                                                        GC.index(item[0][2]), item[0][3])))


def measure_version(version: str, todo: list[tuple[measure.Workload, str, bool]], keep_reports: bool,
                    ways: bool) -> None:
    try:
        interpreter = versions.open_interpreter(version)
    except versions.Missing as why:
        for workload, gc, numpy in todo:
            cell = Cell(workload.name, version, gc, numpy, str(why))
            cell.save(KEPT)
            show(cell)
        return
    try:
        for workload, gc, numpy in todo:
            if workload.script and gc == "default" and not measure.missing(interpreter, workload, numpy):
                measure.warm_up(interpreter, workload, numpy)
            cell = (measure.run(interpreter, workload, gc, numpy, KEPT if keep_reports else None)
                    if workload.script else gunicorn_load.run(interpreter, workload.name))
            cell.save(KEPT)
            show(cell)
        if ways:
            (KEPT / f"reading-{version}.json").write_text(json.dumps(measure.reading(interpreter)))
    finally:
        versions.close_interpreter(interpreter)


def repeat(version: str, times: int) -> float:
    """The largest difference between runs of one workload: per cent of what a worker copied."""
    interpreter = versions.open_interpreter(version)
    worst = 0.0
    try:
        for workload in WORKLOADS:
            if not workload.script or measure.missing(interpreter, workload, False):
                continue
            measure.warm_up(interpreter, workload, False)
            sizes = [measure.run(interpreter, workload).per_worker() for _ in range(times)]
            spread = measure.percent(max(sizes) - min(sizes), max(sizes))
            print(f"{workload.name}-{version}: {times} runs, {min(sizes):.2f} to {max(sizes):.2f} MiB: "
                  f"{spread:.2f} %")
            worst = max(worst, spread)
    finally:
        versions.close_interpreter(interpreter)
    return worst


def same_answers(cells: tables.Cells) -> list[str]:
    """A workload that answers differently somewhere is not the same workload."""
    found = []
    for workload in WORKLOADS:
        for numpy in (False, True):
            answers = {c.answer for c in cells.values()
                       if c.workload == workload.name and c.numpy == numpy and not c.missing}
            if len(answers) > 1:
                found.append(f"{workload.name}: the answers differ between versions")
    return found


def write_tables(cells: tables.Cells) -> None:
    varies = KEPT / "varies"
    ways = {version: json.loads(path.read_text()) for version in versions.VERSIONS
            if (path := KEPT / f"reading-{version}.json").exists()}
    RESULTS.write_text(tables.results(cells, ways, f"Linux {os.uname().release}",
                                      varies.read_text() if varies.exists() else "an amount not measured"))
    text = README.read_text()
    begin, end = "<!-- workloads:begin -->\n", "<!-- workloads:end -->\n"
    if begin in text and end in text:
        head, rest = text.split(begin, 1)
        README.write_text(head + begin + tables.readme(cells) + end + rest.split(end, 1)[1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/workloads", description=__doc__)
    parser.add_argument("--version", action="append", choices=versions.VERSIONS, help="only this CPython")
    parser.add_argument("--workload", action="append", choices=[w.name for w in WORKLOADS], help="only this one")
    parser.add_argument("--gc", action="append", choices=GC, help="only this setting")
    parser.add_argument("--no-array", action="store_true", help="not beside an array of numpy")
    parser.add_argument("--reports", action="store_true", help="keep what cowtrace wrote, too")
    parser.add_argument("--repeat", type=int, metavar="N", help="run the workloads N times, and say what varies")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the tables")
    parser.add_argument("--fresh", action="store_true", help="forget all earlier results")
    options = parser.parse_args()
    if options.fresh:
        shutil.rmtree(KEPT, ignore_errors=True)
    KEPT.mkdir(parents=True, exist_ok=True)
    if options.repeat:
        worst = max(repeat(version, options.repeat) for version in options.version or ["3.11"])
        (KEPT / "varies").write_text(f"at most {worst:.1f} %")
        return 0
    if not options.render:
        todo = plan(options.workload or [w.name for w in WORKLOADS], options.gc or list(GC), not options.no_array)
        for version in options.version or versions.VERSIONS:
            measure_version(version, todo, options.reports, not options.workload)
    cells = kept()
    write_tables(cells)
    failures = [f"{c.key}: {why}" for c in cells.values() if not c.missing for why in c.failures()]
    failures += same_answers(cells)
    print(f"{sum(not c.missing for c in cells.values())} runs, {len(failures)} failures; {RESULTS}")
    for failure in failures:
        print(f"failed: {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
