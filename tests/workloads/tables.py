# SPDX-License-Identifier: MIT
"""The tables of tests/workloads/RESULTS.md, and the one of README.md, from measured cells."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from versions import VERSIONS
from measure import GC, LINES_MIN, PROVEN_MIN, UNKNOWN_MAX, WORKLOADS, Cell, Workload, percent

CAUSES = ("refcount", "gc-header", "inline-cache", "lazy-cache", "mutation", "allocator", "native-data", "stack",
          "buffer", "kernel-write", "unknown")
MIB = 1 << 20
Cells = dict[tuple[str, str, str, bool], Cell]


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|---" + "|---:" * (lines[0].count("|") - 2) + "|")
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def versions_of(cells: Cells) -> list[str]:
    return [v for v in VERSIONS if any(key[1] == v for key in cells)]


def size(mib: float) -> str:
    """Enough digits to see what is small, and none that are noise."""
    return f"{mib:.1f}" if mib >= 9.95 else f"{mib:.2f}" if mib >= 0.005 else "0" if mib == 0 else "<0.01"


def share(cell: Cell, cause: str) -> str:
    part = percent(cell.copied.get(cause, 0), cell.total)
    return f"{part:.1f} %" if part >= 0.05 else "0 %" if part == 0 else "<0.1 %"


def grid(cells: Cells, show: Callable[[Cell], str], gc: str = "default", numpy: bool = False) -> str:
    """Workloads down, versions across."""
    versions = versions_of(cells)
    rows = []
    for workload in WORKLOADS:
        found = [cells.get((workload.name, version, gc, numpy)) for version in versions]
        if any(cell and not cell.missing for cell in found):
            rows.append([workload.title, *("–" if not c or c.missing else show(c) for c in found)])
    return table(["MiB per worker", *versions], rows)


# --- one workload --------------------------------------------------------------------------------


def causes_of(cells: Cells, workload: Workload) -> str:
    found = [cells.get((workload.name, version, "default", numpy))
             for version in versions_of(cells) for numpy in (False, True)]
    cells_here = [cell for cell in found if cell and not cell.missing]
    used = [cause for cause in CAUSES if any(cell.copied.get(cause) for cell in cells_here)]
    rows = []
    for cell in cells_here:
        rows.append([cell.version + (" + array" if cell.numpy else ""), size(cell.shared / cell.workers / MIB),
                     size(cell.per_worker()), f"{percent(cell.total, cell.shared):.0f} %",
                     *(f"{size(cell.per_worker(cause))} ({share(cell, cause)})" for cause in used)])
    return table(["CPython", "shared", "copied", "of it", *used], rows)


def of_types(cells: Cells, workload: Workload) -> str:
    """Which objects' reference counts were written, in the newest version there is."""
    for version in reversed(versions_of(cells)):
        cell = cells.get((workload.name, version, "default", False))
        if cell and not cell.missing:
            parts = [f"`{name}` {size(bytes_ / cell.workers / MIB)}" for name, bytes_ in cell.refcount_of.items()]
            return f"Reference counts by type in {version}, MiB per worker: {', '.join(parts[:6])}.\n"
    return ""


# --- the questions -------------------------------------------------------------------------------


def gc_effect(cells: Cells) -> str:
    rows = []
    for workload in WORKLOADS:
        for version in versions_of(cells):
            three = [cells.get((workload.name, version, gc, False)) for gc in GC]
            if not all(cell and not cell.missing for cell in three):
                continue
            ran = "/".join(str(n) for n in three[0].collections)
            saved = [percent(three[0].total - cell.total, three[0].total) for cell in three[1:]]
            rows.append([f"{workload.title}, {version}", ran,
                         *(size(cell.per_worker("gc-header")) for cell in three),
                         *(size(cell.per_worker()) for cell in three), *(f"{value:.1f} %" for value in saved)])
    return table(["", "collections", "gc-header", "with freeze", "with disable", "copied in all", "with freeze",
                  "with disable", "freeze saves", "disable saves"], rows)


def extremes(cells: Cells, cause: str, versions: Iterable[str] | None = None) -> str:
    """The range of a cause over all workloads, in words."""
    some = [c for (_, version, gc, numpy), c in cells.items()
            if gc == "default" and not numpy and not c.missing and (versions is None or version in versions)]
    if not some:
        return "not measured"
    sizes = [cell.per_worker(cause) for cell in some]
    parts = [percent(cell.copied.get(cause, 0), cell.total) for cell in some]
    return f"{size(min(sizes))} to {size(max(sizes))} MiB, {min(parts):.1f} to {max(parts):.1f} %"


def borrowed(cells: Cells) -> str:
    """Reference counts of the versions around 3.14's borrowed loads, and how they change."""
    rows = []
    for workload in WORKLOADS:
        some = [cells.get((workload.name, version, "default", False)) for version in ("3.13", "3.14", "3.15")]
        if not all(cell and not cell.missing for cell in some):
            continue
        old = some[0].per_worker("refcount")
        rows.append([workload.title, *(size(cell.per_worker("refcount")) for cell in some),
                     *(f"{percent(cell.per_worker('refcount') - old, old):+.1f} %" for cell in some[1:]),
                     *(size(cell.per_worker()) for cell in some)])
    return table(["", "refcount 3.13", "3.14", "3.15", "3.14 to 3.13", "3.15 to 3.13", "copied in all 3.13", "3.14",
                  "3.15"], rows)


# --- what was measured, and how well -------------------------------------------------------------


def acceptance(cells: Cells) -> str:
    rows = []
    for cell in (c for c in cells.values() if not c.missing):
        closed = "equal" if cell.closed else f"{cell.kernel_copies}"
        rows.append([cell.key, f"{cell.copies:,}", closed, f"{percent(cell.proven, cell.copies):.2f}",
                     f"{percent(cell.unknown, cell.copies):.2f}", f"{cell.with_line:.2f}",
                     "; ".join(cell.failures()) or "ok"])
    return table(["run", "copies", "kernel's count", "proven %", "unknown %", "with line %", ""], rows)


def summary(cells: Cells) -> str:
    """Over all runs, in a sentence."""
    some = [c for c in cells.values() if not c.missing]
    living = [c for c in some if c.workload != "gunicorn-end"]
    copies = sum(c.copies for c in some)
    equal = sum(c.closed for c in some)
    return (f"{len(some)} runs, {copies:,} copies: {percent(sum(c.proven for c in some), copies):.2f} % proven "
            f"(no run below {min(percent(c.proven, c.copies) for c in some):.1f} %), "
            f"{percent(sum(c.unknown for c in some), copies):.2f} % unknown (no run above "
            f"{max(percent(c.unknown, c.copies) for c in some):.2f} %), and the kernel counted the same number in "
            f"{equal} of {len(some)} runs. Of what the workers copied, "
            f"{percent(sum(c.total - c.without_line for c in living), sum(c.total for c in living)):.2f} % has its "
            f"Python line (no run below {min(c.with_line for c in living):.1f} %), not counting what workers of "
            "gunicorn write while they end.\n")


def interpreters_of(cells: Cells) -> str:
    rows = []
    for version in versions_of(cells):
        some = [c for c in cells.values() if c.version == version and not c.missing]
        modules: dict[str, str] = {}
        for cell in some:
            modules.update(cell.modules)
        why: dict[str, set[str]] = {}
        for cell in cells.values():
            if cell.version == version and cell.missing:
                name = f"{cell.workload}{' + array' if cell.numpy else ''}"
                # `/path/python3.12: ModuleNotFoundError: ...`: the path is of this machine.
                why.setdefault(re.sub(r"/\S*/|ModuleNotFoundError: ", "", cell.missing), set()).add(name)
        lacking = [f"{', '.join(sorted(names))}: {reason}" for reason, names in sorted(why.items())]
        rows.append([version, some[0].python if some else "–",
                     ", ".join(f"{name} {number}" for name, number in sorted(modules.items())) or "–",
                     "; ".join(lacking) or "–"])
    return table(["CPython", "release", "modules", "not measured"], rows)


RESULTS = """# What forked CPython really writes

<!-- Written by scripts/workloads. Do not edit. -->

Seven programs like those that people fork: each loads some 35 to 75 MiB of data, forks four workers, and these
answer requests that only read it. The same requests with the same answers on every version. All numbers are MiB
per worker, the mean of the four, as `cowtrace run --delayacct` reports them; the garbage collector as CPython
sets it, unless a table says otherwise. A page is counted for the *first* write to it: what would have been
written there later does not show.

`make workloads` measures all this again: on {kernel} these numbers vary by {varies} from one run to the next.

- *shared*: what a worker shared with its master when it was forked; *copied*: what it had of its own in the end
- *+ array*: with 16 MiB of numpy float64 beside the objects, which each request reads too
- `refcount` reading objects · `gc-header` garbage collector · `inline-cache` bytecode that specialises itself ·
  `lazy-cache` hashes, version tags · `mutation` · `allocator` pymalloc and malloc · `native-data` C variables ·
  `buffer` raw memory of libraries

"""


def ways_of_reading(ways: dict[str, dict[str, int]]) -> str:
    """How many of 53 objects each way of reading writes to."""
    names = dict.fromkeys(way for found in ways.values() for way in found)
    return table(["objects written, of 53", *ways],
                 ([f"`{name}`", *(str(found.get(name, "–")) for found in ways.values())] for name in names))


BORROWED = """Only of objects that a local variable holds already when the process is forked, and only while they
are passed on, measured or compared. What comes out of an attribute, a global variable or a container is
counted, and so written, as ever. (53 objects, each alone on its page, bound to local variables, attributes ... before
the fork; each way reads each of them once in a child of its own.)

"""


FREEZE = """Where a worker's collector ever walks what it shares with its master: the oldest generation (the third
number of *collections*), or what was young when it was forked. There it saves what the collector would have
written to first. What the worker reads afterwards is written all the same, for reference counts.
`gc.freeze()` or `gc.disable()` right before the fork; *collections*: how often a worker's collector ran by
itself, by generation, in the default case.

"""


def results(cells: Cells, ways: dict[str, dict[str, int]], kernel: str, varies: str) -> str:
    parts = [RESULTS.format(kernel=kernel, varies=varies),
             "## All\n\nCopied:\n\n", grid(cells, lambda c: size(c.per_worker())),
             "\nOf these, reference counts:\n\n",
             grid(cells, lambda c: f"{size(c.per_worker('refcount'))} ({share(c, 'refcount')})"),
             "\n## What do inline caches cost?\n\n", inline_caches(cells),
             "\n## Do borrowed loads of 3.14 remove writes of reference counts?\n\n", BORROWED,
             ways_of_reading(ways), "\nAnd in the workloads:\n\n", borrowed(cells),
             "\n## Does gc.freeze() help?\n\n", FREEZE, gc_effect(cells)]
    for workload in WORKLOADS:
        parts += [f"\n## {workload.title}\n\n", causes_of(cells, workload), "\n", of_types(cells, workload)]
    parts += ["\n## What was measured\n\n", interpreters_of(cells), "\n## How sure\n\n", summary(cells),
              f"\nA run passes with at least {PROVEN_MIN:.0f} % of its copies proven, at most {UNKNOWN_MAX:.0f} % "
              f"unknown, Python lines for {LINES_MIN:.0f} % of what the workers copied, nothing lost, and the "
              "kernel's own count equal.\n\n", acceptance(cells)]
    return "".join(parts)


def inline_caches(cells: Cells) -> str:
    text = ("Since 3.11 code rewrites itself while it runs. That costs "
            f"{extremes(cells, 'inline-cache', VERSIONS[3:])} of what a worker copies. A page with code that was "
            "first written for another reason, such as the reference count of a code object, is not among them: "
            "those are below.\n\n")
    return text + grid(cells, lambda c: f"{size(c.per_worker('inline-cache'))} ({share(c, 'inline-cache')})") + \
        "\nReference counts of code objects:\n\n" + grid(cells, of_code) + \
        "\nSpecialised code checks versions of types and of the keys of dicts, which are given out when it is " \
        "made. They are part of `lazy-cache`:\n\n" + grid(cells, lambda c: size(c.per_worker("lazy-cache")))


def of_code(cell: Cell) -> str:
    return size(cell.refcount_of.get("code", 0) / cell.workers / MIB)


def readme(cells: Cells) -> str:
    """One screen: how much, and how much of that are reference counts."""
    return grid(cells, lambda c: f"{c.per_worker():.0f} of {c.shared / c.workers / MIB:.0f}")
