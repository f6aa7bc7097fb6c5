#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""readme.py: writes what tests/bench/results.json (scripts/bench --keep tests/bench/results.json) and
tests/vm/instructions.txt hold into README.md, between its marks "bench"."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import bench_table
import figures

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests/bench/results.json"
COUNTED = ROOT / "tests/vm/instructions.txt"
MARKS = re.compile(r"(<!-- bench:begin -->\n).*(<!-- bench:end -->)", re.DOTALL)

HOW = """\
`sudo make bench` measures on your machine what cowtrace costs, `sudo make bench-vm` counts it. What follows was measured
on {machine}, {kernel}, {python}, {perf}, {bpftrace}
({cowtrace}, {date}; {rounds}). It is a virtual machine inside another one: its nanoseconds are long and not steady,
the ratios are what to look at. The tools take turns, in rounds; medians, ratios of medians.

**A copied page.** Storms that do nothing else: a C program that writes one byte to each page, and loops of Python that
take a reference to one int on each page, so many frames deep, each frame of another function. `added` is what one copy
takes more than untraced; then what that is of what `perf record -e exceptions:page_fault_user -c 1 -g` adds, and of
`bpftrace` counting user stacks. Both take a native stack, and neither a Python stack nor an object. The first rows of
a storm are cowtrace with pieces switched on one after the other (`empty`: attached, and back at once).
"""

COUNTS = """\
What was counted in these storms, in a run of its own, as the kernel's own counting takes time too:
"""

REST = """\
**Programs, others, and cowtrace itself.** The article's loop is timed in a forked worker. The Flask service is asked by four
clients as fast as it answers, and reads 10,000 of its 10,000,000 ints for each request; its requests are those of a second
of its CPU, so this is without what cowtrace's own thread takes elsewhere. First touches of new pages are those of a process that nobody watches.
"""

INSTRUCTIONS = """\
**Instructions**, counted in guests in which the clock counts them (Linux {kernel}): no clock, the same numbers each time.
What one page takes with nothing attached, and what cowtrace adds:
"""

GOALS = """\
**What it shall reach**, and does or does not. `empty`: what it would be if the programs only found their thread and returned.
What misses the goal even then is out of the reach of programs on these tracepoints, on this machine.
"""

NOT_MEASURED = """\
Not measured: other machines and other workloads than these; what a traced program takes later, because its caches hold
something else; `serve` while it is asked for pages.
"""


def markdown(head: list[str], rows: list[list[str]], numbers: int) -> str:
    rule = ["---:" if i >= len(head) - numbers else "---" for i in range(len(head))]
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def copies(rows: list[dict[str, Any]]) -> str:
    cells = []
    for r in rows:
        plain = r["tool"] == "untraced"
        cells.append([r["work"] if plain else "", r["tool"], f"{r['ns_per_copy']:,.0f}", "" if plain else f"{r['added_ns']:+,.0f}",
                      *("" if plain else bench_table.times(r[key]) for key in ("of_untraced", "of_perf", "of_bpftrace")),
                      bench_table.count(r["lost"])])
    return markdown(["", "", "ns per copy", "added", "× untraced", "× perf", "× bpftrace", "lost"], cells, 6)


def counts(rows: list[dict[str, Any]]) -> str:
    return markdown(["", "cowtrace", "the kernel"], [[r["work"], bench_table.count(r["counted"]), bench_table.count(r["kernel"])]
                                                     for r in rows if r["kernel"] is not None], 2)


def others(data: dict[str, Any]) -> str:
    titles = {"article": "the article's loop", "service": "Flask", "unwatched": "a first touch elsewhere", "daemon": "cowtrace"}
    rows = [[f"{title}: {r['what']}", f"{bench_table.number(r['value'])} {r['unit']}",
             "" if r["low"] == r["high"] else f"{bench_table.number(r['low'])} to {bench_table.number(r['high'])}"]
            for name, title in titles.items() for r in data.get(name, [])]
    return markdown(["", "median", "half of the samples"], rows, 2)


def goals(rows: list[dict[str, Any]]) -> str:
    cells = [[r["name"], "not measured" if r["measured"] is None else figures.plain(r["measured"]) + r["unit"],
              f"{'≥' if r['at_least'] else '≤'} {figures.plain(r['limit'])}{r['unit']}",
              "" if r["empty"] is None else figures.plain(r["empty"]) + r["unit"],
              "**not met**, out of reach" if r["out_of_reach"] else {True: "met", False: "**not met**", None: r["reason"]}[r["met"]]]
             for r in rows]
    return markdown(["goal", "measured", "wanted", "empty", ""], cells, 4)


def counted() -> tuple[str, dict[tuple[str, str], int]]:
    """The first kernel that there is, and its instructions by witness and what was done."""
    rows = [line.split() for line in COUNTED.read_text().splitlines() if line and not line.startswith("#")]
    kernel = rows[0][0]
    return kernel, {(w, what): int(n) for k, w, what, n in rows if k == kernel}


def instructions() -> tuple[str, str]:
    """The kernel, and the table of it."""
    kernel, found = counted()
    witnesses = [w for w in ("fexit", "kprobe", "tracepoints") if (w, "touch") in found]
    names = {"touch": ("first touch of a page, nobody watches", "touch"), "unwatched-copy": ("a copy, nobody watches", "copy"),
             "copy": ("a watched copy, no Python", "copy"), "python-10": ("a watched copy, 10 frames of Python", "python-10"),
             "python-100": ("a watched copy, 100 frames of Python", "python-100")}
    cells = []
    for what, (words, plain) in names.items():
        base = found["nothing", plain]
        cells.append([words, f"{base:,}", *(f"{found[w, what] - base:+,} ({found[w, what] / base:.2f} ×)" for w in witnesses)])
    return kernel, markdown(["", "nothing", *witnesses], cells, 1 + len(witnesses))


def rounds(data: dict[str, Any]) -> str:
    return f"{data['rounds']} rounds" + (" of the quick form, with fewer pages" if data["quick"] else "")


def section() -> str:
    data = json.loads(RESULTS.read_text())
    kernel, counted = instructions()
    storms = data["copies"] + [row for row in data.get("pythons", [])]
    return "\n".join([HOW.format(**data["on"], rounds=rounds(data)), copies(storms), COUNTS, counts(storms), REST, others(data),
                      INSTRUCTIONS.format(kernel=kernel), counted, GOALS,
                      goals(data["goals"]), NOT_MEASURED])


def main() -> None:
    readme = ROOT / "README.md"
    text, found = MARKS.subn(lambda match: match[1] + section() + match[2], readme.read_text())
    assert found == 1, "README.md must have one <!-- bench:begin --> and one <!-- bench:end -->"
    readme.write_text(text)


if __name__ == "__main__":
    main()
