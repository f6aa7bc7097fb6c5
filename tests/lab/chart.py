# SPDX-License-Identifier: MIT
"""The results as one page with the article's charts, drawn from what was measured; needs no network."""
from __future__ import annotations

from html import escape

import table
import verdict
from experiment import Result
from scenarios import CONSTANT, LINEAR, Scenario

W, H, LEFT, TOP, BOTTOM = 420, 196, 52, 18, 28
STYLE = """
:root { --paper: #fff; --ink: #1c1e21; --dim: #5d6570; --line: #d9dde3; --bad: #b3261e; --good: #1b6e3c;
  --c0: #6b7280; --c1: #2563a8; --c2: #c2570c; --c3: #2e7d4f; --c4: #8a3fa0; --c5: #a5841b; --c6: #b0306a; --c7: #197a86;
  --c8: #5a4fcf; color-scheme: light dark }
@media (prefers-color-scheme: dark) { :root { --paper: #16181c; --ink: #e8eaed; --dim: #9aa3ae; --line: #33383f;
  --bad: #ff8a80; --good: #7ddc9f; --c0: #9aa3ae; --c1: #6ab0f3; --c2: #ff9d5c; --c3: #6fcf97; --c4: #d48ee8; --c5: #e0c25a;
  --c6: #f387b4; --c7: #5fd0dc; --c8: #a79ff5 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1.5rem; background: var(--paper);
  color: var(--ink) }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.2rem } h3 { font-size: 1rem; margin: 0 0 .2rem }
p { max-width: 48rem } .dim, small, figcaption { color: var(--dim) }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(27rem, 100%), 1fr)); gap: 1.6rem 1.2rem }
figure { margin: 0; border-top: 1px solid var(--line); padding-top: .6rem } svg { width: 100%; height: auto }
svg text { font-size: 11px; fill: var(--dim) } .axis { stroke: var(--line) } .mark { stroke: var(--dim); stroke-dasharray: 3 3 }
.holds { color: var(--good); font-weight: 600 } .not { color: var(--bad); font-weight: 600 }
path { fill: none; stroke-width: 1.8 }
"""


def nice(most: float) -> float:
    """A round number not below it."""
    step = 10 ** (len(str(int(most))) - 1) if most >= 1 else 1
    return next(step * k for k in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if step * k >= most)


class Plane:
    """From values to places; x and y begin at 0."""

    def __init__(self, most_x: float, most_y: float) -> None:
        self.x, self.y = max(most_x, 1e-9), nice(max(most_y, 1))

    def at(self, x: float, y: float) -> tuple[float, float]:
        return LEFT + (W - LEFT - 10) * x / self.x, H - BOTTOM - (H - TOP - BOTTOM) * y / self.y

    def path(self, points: list[tuple[float, float]], color: int, title: str, dashed: bool = False) -> str:
        places = " L".join("%.1f %.1f" % self.at(x, y) for x, y in points)
        dash = ' stroke-dasharray="5 3"' if dashed else ""
        return (f'<path d="M{places}" style="stroke: var(--c{color})"{dash}>'
                f"<title>{escape(title)}</title></path>")

    def axes(self, unit: str, ticks: list[float]) -> str:
        text = ""
        for part in (0, 0.5, 1):
            x, y = self.at(0, self.y * part)
            text += f'<line class="axis" x1="{x:.0f}" x2="{W - 10}" y1="{y:.1f}" y2="{y:.1f}"/>'
            text += f'<text x="{x - 6:.0f}" y="{y + 4:.1f}" text-anchor="end">{self.y * part:,.6g}</text>'
        for tick in (t for t in ticks if t <= self.x):
            x, y = self.at(tick, 0)
            anchor = "end" if x > W - 40 else "middle"
            text += f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="{anchor}">{tick:.3g}{unit}</text>'
        return text + f'<text x="{LEFT + 4}" y="{TOP - 2}">MiB</text>'


def figure(title: str, caption: str, label: str, body: str) -> str:
    return (f"<figure><h3>{escape(title)}</h3><svg viewBox='0 0 {W} {H}' role='img' aria-label='{escape(label, True)}'>"
            f"{body}</svg><figcaption>{caption}</figcaption></figure>\n")


def over_time(scenario: Scenario, results: list[Result]) -> str:
    r, v = verdict.typical(results), verdict.judge(scenario, results)
    pids = [pid for pid in dict.fromkeys(row[1] for row in r.rows) if pid != r.master]
    series = {pid: [(t, private / verdict.MIB) for t, p, _, private in r.rows if p == pid] for pid in [r.master, *pids]}
    end = max((t for t, *_ in r.rows), default=1)
    plane = Plane(end, max((y for points in series.values() for _, y in points), default=1))
    body = plane.axes(" s", [0, end / 2, end])
    for mark in r.marks:
        x, _ = plane.at(min(mark, end), 0)
        body += f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{H - BOTTOM}"/>'
    for i, pid in enumerate([*pids, r.master]):
        if len(series[pid]) > 1:
            name = "the master" if pid == r.master else f"worker {i + 1}"
            body += plane.path(series[pid], 0 if pid == r.master else 1 + i % 8, name, dashed=pid == r.master)
    word = f'<span class="{"holds" if v.holds else "not"}">{"holds" if v.holds else "does not hold"}</span>'
    note = f" {scenario.note}" if scenario.note and not v.holds else ""
    return figure(scenario.name, f"“{escape(scenario.claim)}” {word}: {escape(v.text + '.' + note)}",
                  f"{scenario.name}: private memory of each process in MiB over time", body)


def by_workers(results: table.Results) -> str:
    rows = [(s, rs) for s, rs in results if len(rs) > 1]
    lines = []
    for scenario, found in rows:
        idle = scenario.expect in (LINEAR, CONSTANT)
        lines.append((scenario.name, [(r.workers, (r.all_before if idle else r.all_after) / verdict.MIB) for r in found]))
    if not lines:
        return ""
    plane = Plane(max(x for _, points in lines for x, _ in points), max(y for _, points in lines for _, y in points))
    body = plane.axes("", [1, 2, 3, 4, 8])
    legend = ""
    for i, (name, points) in enumerate(lines):
        body += plane.path(points, 1 + i, name)
        legend += f'<span style="color: var(--c{1 + i})">■</span> {escape(name)} &nbsp; '
    return figure("All processes together, by the number of workers", f"Proportional set size (PSS). {legend}",
                  "PSS of all processes in MiB by the number of workers", body)


def page(results: table.Results, items: int, machine: list[str], left_out: list[str]) -> str:
    text = ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
            f'content="width=device-width, initial-scale=1"><title>The article, measured</title><style>{STYLE}</style></head>'
            "<body>\n<h1>The article, measured</h1>\n")
    text += (f"<p>{items:,} items. Each chart: private memory in MiB over time, as the kernel accounts for it. Lines: "
             "workers; dashed grey: the master. Dotted: the work begins, and is done. Written by <code>make lab</code>.</p>"
             f'<p class="dim">{"<br>".join(escape(line) for line in machine)}</p>\n')
    text += f'<h2>Growth</h2>\n<div class="grid">{by_workers(results)}</div>\n'
    for title, article in (("The article’s claims", True), ("What it leaves out", False)):
        charts = "".join(over_time(s, rs) for s, rs in results if s.article == article)
        text += f'<h2>{title}</h2>\n<div class="grid">\n{charts}</div>\n'
    if left_out:
        text += "<h2>Left out</h2><ul>" + "".join(f"<li>{escape(line)}</li>" for line in left_out) + "</ul>"
    return text + "</body></html>\n"
