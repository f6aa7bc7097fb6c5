# SPDX-License-Identifier: MIT
"""Each advice is proven: a program that it is given to, and the same one after following it. What a worker then copies
less is within the bound that was promised, and at least half of it."""
from __future__ import annotations

from dataclasses import dataclass

import pytest

import pythons
from cow import BUILT, PAGE, ROOT, Run, run_cowtrace


@dataclass(frozen=True)
class Pair:
    rule: str
    # Copies are not all of it where memory is filled that could be shared, or had better not be.
    memory: bool = False
    stay: float = 0  # seconds, so that its memory is looked at

    @property
    def program(self) -> str:
        return str(ROOT / "tests" / "advice" / f"{self.rule.replace('-', '_')}.py")


PAIRS = (
    Pair("numbers-in-container"),
    Pair("strings-in-container"),
    Pair("records-in-container"),
    Pair("gc-freeze"),
    Pair("gc-threshold"),
    Pair("allocator-refill", memory=True),
    Pair("warm-up"),
    Pair("import-before-fork"),
    Pair("library-data"),
    Pair("exit-without-teardown"),
    Pair("loaded-after-fork", memory=True, stay=0.3),
    Pair("nothing-shared", memory=True, stay=0.3),
    Pair("huge-pages"),
)


def trace(pair: Pair, which: str) -> Run:
    run = run_cowtrace([], [pythons.system(), pair.program, which],
                       env={"STAY": str(pair.stay), "LIBRARY": str(BUILT / "tables.so")}, delayacct=False)
    assert run.status == 0, run.stderr
    assert len(run.truth) == 3 and len({str(worker["result"]) for worker in run.truth}) == 1, run.stdout
    return run


def of_a_worker(run: Run, memory: bool) -> float:
    """Bytes that a worker took, on average."""
    pids = {worker["pid"] for worker in run.truth}
    workers = [p for p in run.report["processes"] if p["pid"] in pids]
    assert len(workers) == 3
    return sum(p["copied_bytes"] + (p["new_bytes"] if memory else 0) for p in workers) / 3


def bound(run: Run, rule: str) -> int:
    return sum(a["bytes_per_process_upper_bound"] for a in run.report["advice"] if a["rule"] == rule)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.rule)
def test_following_the_advice_saves_what_it_says(pair: Pair) -> None:
    before, after = trace(pair, "before"), trace(pair, "after")
    assert before.truth[0]["result"] == after.truth[0]["result"] or pair.rule == "gc-freeze"
    if pair.rule == "huge-pages" and not any(size["bytes"] > PAGE for size in before.report["page_sizes"]):
        pytest.skip("this kernel splits the huge page of zeros (before Linux 6.18), or has none")
    promised = bound(before, pair.rule)
    saved = of_a_worker(before, pair.memory) - of_a_worker(after, pair.memory)
    assert promised, before.report["advice"]
    assert promised / 2 <= saved <= promised, f"{promised / PAGE} pages promised, {saved / PAGE:.0f} saved"
    assert bound(after, pair.rule) <= promised / 10, after.report["advice"]


def test_each_text_says_at_most_and_when_not() -> None:
    """One of a framework that is known, in the words of that framework."""
    (text,) = (a["text"] for a in trace(PAIRS[-2], "before").report["advice"] if a["rule"] == "nothing-shared")
    assert "With multiprocessing: " in text and "It does not help" in text
    assert text.rsplit(". ", 1)[1].startswith("At most ")
