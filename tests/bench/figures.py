# SPDX-License-Identifier: MIT
"""What is made of samples and of what other tools print. Pure: no process is started here, no file read."""
from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Spread:
    """Half of the samples lie between low and high."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:,.0f} ({self.low:,.0f} to {self.high:,.0f})"


def spread(samples: Sequence[float]) -> Spread:
    if not samples:
        raise ValueError("nothing was measured")
    if len(samples) == 1:
        return Spread(samples[0], samples[0], samples[0])
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return Spread(statistics.median(samples), low, high)


def ratio(part: float, whole: float) -> float | None:
    """None: there is nothing to compare with."""
    return part / whole if whole > 0 else None


def turns(names: Sequence[str], round_: int) -> list[str]:
    """Another order in each round, so that none always follows the same one."""
    at = round_ % len(names)
    turned = [*names[at:], *names[:at]]
    return turned if round_ // len(names) % 2 == 0 else turned[::-1]


def perf_samples(stats: str) -> int:
    """Of `perf report --stats`: the first line is the sum over all events."""
    found = re.search(r"^\s*SAMPLE events:\s*(\d+)", stats, re.MULTILINE)
    return int(found[1]) if found else 0


def bpftrace_count(text: str) -> int:
    """Of `{@[ustack] = count();}`: what all stacks have together."""
    return sum(int(n) for n in re.findall(r"^(?:@\[)?\]: (\d+)$", text, re.MULTILINE))


def bpftrace_lost(text: str) -> int:
    return sum(int(n) for n in re.findall(r"[Ll]ost (\d+) events", text))


def perf_stat_count(text: str) -> int | None:
    """Of `perf stat -x,`; None: the machine does not count them."""
    found = re.findall(r"^(\d+),", text, re.MULTILINE)
    return sum(map(int, found)) if found else None


@dataclass(frozen=True)
class Goal:
    """What shall be reached, and what was measured. unit: of all numbers. empty: what it comes to if the programs of
    cowtrace only find their thread and return: what misses then can not be reached here."""

    name: str
    measured: float | None  # None: not measured here, for the reason
    limit: float
    unit: str = ""
    at_least: bool = False
    reason: str = ""
    empty: float | None = None

    def allows(self, value: float | None) -> bool | None:
        if value is None:
            return None
        return value >= self.limit if self.at_least else value <= self.limit

    @property
    def met(self) -> bool | None:
        return self.allows(self.measured)

    @property
    def out_of_reach(self) -> bool:
        return self.met is False and self.allows(self.empty) is False

    def row(self) -> dict[str, object]:
        return {**asdict(self), "met": self.met, "out_of_reach": self.out_of_reach}

    def __str__(self) -> str:
        bound = f"{'at least' if self.at_least else 'at most'} {plain(self.limit)}{self.unit}"
        if self.measured is None:
            return f"not measured  {self.name}: {self.reason} (goal: {bound})"
        beyond = f", out of reach: {plain(self.empty)}{self.unit} if nothing is done" if self.out_of_reach and self.empty is not None else ""
        return f"{'met' if self.met else 'NOT MET':14}{self.name}: {plain(self.measured)}{self.unit} (goal: {bound}{beyond})"


def plain(number: float) -> str:
    """Three digits that count, no exponent."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3f}" if abs(number) < 10 else f"{number:.1f}"
