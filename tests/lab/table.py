# SPDX-License-Identifier: MIT
"""The results as a page of Markdown."""
from __future__ import annotations

import verdict
from experiment import Result
from scenarios import CONSTANT, LINEAR, Scenario

Results = list[tuple[Scenario, list[Result]]]
HEAD = ("| scenario | claim | data | private of a worker | PSS of a worker | copies of a worker | most of them | verdict |\n"
        "|---|---|---:|---:|---:|---:|---|---|\n")


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("_", "\\_")


def number(size: float) -> str:
    return f"{size / verdict.MIB:,.1f}"


def row(scenario: Scenario, results: list[Result]) -> str:
    r, v = verdict.typical(results), verdict.judge(scenario, results)
    change = "{} → {}".format
    what = f"{r.cause}, {verdict.short(r.site)}"
    said = f"**{'holds' if v.holds else 'does not hold'}**: {v.text}."
    if scenario.note and not v.holds:
        said += f" {scenario.note}"
    return "| " + " | ".join((
        cell(scenario.name), cell(scenario.claim), number(r.data),
        change(number(r.before.private), number(r.after.private)), change(number(r.before.pss), number(r.after.pss)),
        f"{r.copies:,.0f}", cell(what), cell(said))) + " |\n"


def summary(results: Results) -> str:
    """For README.md: the private memory of a worker, and what is said of the claim."""
    text = "| scenario | claim | before → after | verdict |\n|---|---|---:|---|\n"
    for scenario, found in results:
        r, v = verdict.typical(found), verdict.judge(scenario, found)
        text += (f"| {cell(scenario.name)} | {cell(scenario.claim)} | {number(r.before.private)} → {number(r.after.private)} "
                 f"| {'holds' if v.holds else '**does not hold**'} |\n")
    return text


def growth(results: Results) -> str:
    """PSS of all processes together, by the number of workers."""
    rows = [(s, rs) for s, rs in results if len(rs) > 1]
    if not rows:
        return ""
    counts = [r.workers for r in rows[0][1]]
    text = "| MiB of all processes together, with … workers | " + " | ".join(map(str, counts)) + " |\n"
    text += "|---|" + "---:|" * len(counts) + "\n"
    for scenario, found in rows:
        idle = scenario.expect in (LINEAR, CONSTANT)
        by = {r.workers: (r.all_before if idle else r.all_after) for r in found}
        text += f"| {cell(scenario.name)} | " + " | ".join(number(by[n]) if n in by else "–" for n in counts) + " |\n"
    return text


def page(results: Results, items: int, machine: list[str], left_out: list[str]) -> str:
    text = "# The article, measured\n\n"
    text += ("Written by `make lab` (`scripts/lab`). Sizes in MiB. Private and PSS are the kernel's (`smaps_rollup`), of a "
             "worker on average, before its work and after; each worker had answered one request before. Data: what it "
             "takes in a process of its own. Copies and their causes are cowtrace's. A worker's growth is what became "
             "private and was copied: memory that is new is none. Scenarios of the article: three workers of gunicorn, "
             "unless it says otherwise.\n\n")
    text += f"{items:,} items; a tenth of them where each is more than a number.\n\n"
    text += "".join(f"- {line}\n" for line in machine) + "\n"
    for title, article in (("The article's claims", True), ("What it leaves out", False)):
        text += f"## {title}\n\n{HEAD}" + "".join(row(s, rs) for s, rs in results if s.article == article) + "\n"
    text += f"## Growth\n\n{growth(results)}\n"
    if left_out:
        text += "## Left out\n\n" + "".join(f"- {line}\n" for line in left_out)
    return text
