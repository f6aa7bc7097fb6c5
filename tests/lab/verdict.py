# SPDX-License-Identifier: MIT
"""Does a claim hold? By numbers that the kernel accounts for; the reason is cowtrace's."""
from __future__ import annotations

import re
from dataclasses import dataclass

import scenarios
from experiment import Result
from scenarios import Scenario

MIB = 1 << 20
# What workers take for themselves while they work, whatever their data: buffers, the free blocks that they fill.
OWN = 1.5 * MIB
# ... and while they begin, with Flask.
BEGIN = 6 * MIB


@dataclass(frozen=True)
class Verdict:
    holds: bool
    text: str


def mib(size: float) -> str:
    return f"{size / MIB:,.1f} MiB"


def typical(results: list[Result]) -> Result:
    """The article's three workers, or the only run."""
    return next((r for r in results if r.workers == 3), results[-1])


def short(site: str) -> str:
    """`read_numbers (data.py:133)` of a frame with its whole path."""
    return re.sub(r"\((?:[^()]*/)?([^/()]*)\)$", r"(\1)", site)


def growth(result: Result) -> float:
    """Of a worker's private memory by its work. New memory that is no copy does not count: what it had copied before is
    private before."""
    return max(0, min(result.after.private, result.copied) - result.before.private)


def each_more(results: list[Result]) -> float:
    """PSS of all processes together that one more worker adds."""
    first, last = results[0], results[-1]
    return (last.all_before - first.all_before) / (last.workers - first.workers)


def because(result: Result) -> str:
    return f"{result.cause_share:.0%} of what it copied is {result.cause}, most at {short(result.site)}"


def of_growth(scenario: Scenario, results: list[Result]) -> Verdict:
    one, data = each_more(results), results[0].data
    text = f"each more worker takes {mib(one)} more, of {mib(data)} of data"
    linear = one >= 0.7 * data
    return Verdict(linear if scenario.expect == scenarios.LINEAR else one <= 0.1 * data + BEGIN, text)


def of_loading(result: Result) -> Verdict:
    return Verdict(result.before.private >= 0.8 * result.data,
                   f"before any work a worker has {mib(result.before.private)} of its own, of {mib(result.data)} of data")


def of_recycling(result: Result) -> Verdict:
    once = result.workers * (result.data + result.before.private)
    return Verdict(result.after.private < result.before.private + 0.5 * result.data and result.copied_by_all <= once,
                   f"{result.recycled} workers ended; all that there were copied {mib(result.copied_by_all)} together, "
                   f"and those at the end have {mib(result.after.private)} each")


def judge(scenario: Scenario, results: list[Result]) -> Verdict:
    result = typical(results)
    if scenario.expect in (scenarios.LINEAR, scenarios.CONSTANT):
        return of_growth(scenario, results)
    if scenario.expect == scenarios.LOADS:
        return of_loading(result)
    if scenario.expect == scenarios.RECYCLED:
        return of_recycling(result)
    grown = growth(result)
    text = f"a worker grew by {mib(grown)}, of {mib(result.data)} of data"
    if scenario.expect == scenarios.GROWS:
        holds = grown >= 0.5 * result.data
    else:
        holds = grown <= 0.1 * result.data + OWN
    large = grown > 0.1 * result.data + OWN
    return Verdict(holds, f"{text}: {because(result)}" if large else text)
