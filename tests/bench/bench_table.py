# SPDX-License-Identifier: MIT
"""The results as text, 100 columns wide: what README.md and people get."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from figures import Goal


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def columns(rows: Sequence[Sequence[str]], numbers: int) -> list[str]:
    """The last `numbers` columns are numbers."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    first = len(widths) - numbers
    return ["  ".join(cell.rjust(w) if i >= first else cell.ljust(w)
                      for i, (cell, w) in enumerate(zip(row, widths))).rstrip() for row in rows]


def copies(rows: list[dict[str, Any]]) -> list[str]:
    head = ("", "ns per copy", "half of them", "added", "× untraced", "× perf", "× bpftrace", "lost")
    lines: list[str] = []
    for work in dict.fromkeys(row["work"] for row in rows):
        cells = [(work, *head[1:])]
        for r in (r for r in rows if r["work"] == work):
            plain = r["tool"] == "untraced"
            cells.append((
                f"  {r['tool']}", f"{r['ns_per_copy']:,.0f}", f"{r['low']:,.0f} to {r['high']:,.0f}",
                "" if plain else f"{r['added_ns']:+,.0f}", "" if plain else times(r["of_untraced"]),
                "" if plain else times(r["of_perf"]), "" if plain else times(r["of_bpftrace"]), count(r["lost"])))
        lines += [*columns(cells, 7), ""]
    return lines


def counted(rows: list[dict[str, Any]]) -> list[str]:
    cells = [("Copies, in a run of its own", "cowtrace", "the kernel")]
    cells += [(f"  {r['work']}, {r['tool']}", count(r["counted"]), count(r["kernel"]))
              for r in rows if r["kernel"] is not None]
    return [*columns(cells, 2), ""] if len(cells) > 1 else []


def plain(title: str, rows: list[dict[str, Any]]) -> list[str]:
    """what, value with unit, and between which two half of the samples lie."""
    if not rows:
        return []
    cells = [(title, "", "half of them")]
    cells += [(f"  {r['what']}", f"{number(r['value'])} {r['unit']}",
               f"{number(r['low'])} to {number(r['high'])}" if r.get("low") is not None else "") for r in rows]
    return [*columns(cells, 2), ""]


def number(value: float) -> str:
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"


def goals(made: list[Goal]) -> list[str]:
    return ["Goals", *(f"  {goal}" for goal in made), ""] if made else []
