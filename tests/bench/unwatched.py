# SPDX-License-Identifier: MIT
"""What those pay that nobody watches: the first touches of a process's pages, while cowtrace watches another one."""
from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
from collections.abc import Iterator

import figures
import tools
from figures import Goal
from requests_made import Rows, value
from tools import ROOT

# Of the first touch of a page.
LIMITS = {"fexit": 1.02, "tracepoints": 1.05}


@contextlib.contextmanager
def armed(witness: str | None) -> Iterator[None]:
    if witness is None:
        yield
        return
    process = subprocess.Popen([tools.COWTRACE, "run", "-q", "--witness", witness, "--", "sh", "-c",
                                "echo armed; exec sleep 600"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout and process.stdout.readline() == "armed\n"
        yield
    finally:
        process.terminate()
        process.wait(60)


def touches(pages: int) -> list[float]:
    done = subprocess.run([ROOT / "build/targets/touch", str(pages), "5"], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["ns_per_touch"]


def counted() -> list[Goal]:
    """The same in instructions, as tests/vm/count has last written them down: no clock is as exact."""
    lines = (line.split() for line in (ROOT / "tests/vm/instructions.txt").read_text().splitlines() if line[:1] not in "#")
    found = {(kernel, witness): int(n) for kernel, witness, what, n in lines if what == "touch"}
    return [Goal(f"first touch elsewhere, {witness}, in instructions on {kernel}", n / found[kernel, "nothing"],
                 LIMITS[witness], " ×") for (kernel, witness), n in sorted(found.items()) if witness in LIMITS]


def measure(options: argparse.Namespace) -> tuple[Rows, list[Goal]]:
    witnesses: list[str | None] = [None, *tools.witnesses()]
    samples: dict[str | None, list[float]] = {w: [] for w in witnesses}
    medians: dict[str | None, list[float]] = {w: [] for w in witnesses}
    pages = 50_000 if options.quick else 200_000
    touches(pages)
    for round_ in range(2 * options.rounds):
        for name in figures.turns([w or "" for w in witnesses], round_):
            with armed(name or None):
                got = touches(pages)
            samples[name or None] += got
            medians[name or None].append(figures.spread(got).median)
    rows: Rows = [value(f"cowtrace {w} elsewhere" if w else "no cowtrace", found, "ns")
                                  for w, found in samples.items()]
    ratios = {w: value(f"{w}, of none", [m / plain for m, plain in zip(medians[w], medians[None])], "×")
              for w in witnesses if w}
    timed = [Goal(f"first touch elsewhere, {w}", row["value"], LIMITS[w], " ×") for w, row in ratios.items() if w in LIMITS]
    return [*rows, *ratios.values()], timed + counted()
