# SPDX-License-Identifier: MIT
"""Code and workers that are gone before anyone can ask them for a name."""
from __future__ import annotations

import functools

import pytest

import interpreters
from cow import Run, run_cowtrace
from stacks import Stack, compare, many, stacks

# Of what a worker copies: with a line, and with a type where an object's own head or field was written to. (What
# a list or dict holds lies apart from it, and does not say of which type its owner is.)
WANTED = 0.99
OF_OBJECTS = ("refcount", "gc-header", "lazy-cache")


@pytest.fixture(params=interpreters.labels())
def label(request: pytest.FixtureRequest) -> str:
    return request.param


def test_a_recycled_address_never_keeps_the_old_name(label: str) -> None:
    run = run_cowtrace([], interpreters.named(label).command("recycled.py"))
    assert run.status == 0, run.stderr
    workers = [row for row in run.truth if "codes" in row]
    for worker in workers:
        # The target does what it is for: a few addresses, used over and over, the same in both workers.
        assert len(set(worker["codes"])) * 8 < len(worker["codes"]), "addresses do not come back"
    first, second = (set(worker["codes"]) for worker in workers)
    assert first & second, "the workers use different memory"
    wrong = compare(run)
    assert not wrong, many(wrong, run)
    made = {frame[2] for s in stacks(run) if s.cause == "refcount" and s.type.startswith("T_")
            for frame in s.frames[:2]}
    assert len({name for name in made if name.startswith("fn_")}) == 2 * 211


@functools.lru_cache(maxsize=None)
def short(label: str) -> Run:
    run = run_cowtrace([], interpreters.named(label).command("shortlived.py"))
    assert run.status == 0, run.stderr
    return run


def of_workers(run: Run) -> list[Stack]:
    """All but the first process: what it copies while it starts and forks is its own."""
    master = next(p["pid"] for p in run.report["processes"] if p["python"])
    return [s for s in stacks(run) if s.pid != master]


def share(part: list[Stack], whole: list[Stack]) -> float:
    return sum(s.weight for s in part) / sum(s.weight for s in whole)


def kinds(rows: list[Stack]) -> str:
    """For assertion messages."""
    rows = sorted(rows, key=lambda s: -s.weight)
    return "\n".join(f"{s.weight // 4096} {s.frames[:2]} {s.cause} {s.type}" for s in rows[:20])


def test_workers_of_5_ms_have_lines(label: str) -> None:
    run = short(label)
    copied = of_workers(run)
    lined = [s for s in copied if s.frames and s.frames[0][0] and s.frames[0][1] > 0]
    assert share(lined, copied) >= WANTED, kinds([s for s in copied if s not in lined])


def test_workers_of_5_ms_have_types(label: str) -> None:
    run = short(label)
    copied = [s for s in of_workers(run) if s.cause in OF_OBJECTS]
    typed = [s for s in copied if s.type]
    assert share(typed, copied) >= WANTED, kinds([s for s in copied if not s.type])


def test_workers_of_5_ms_are_all_there(label: str) -> None:
    """Each object of each worker, at its line, with its type."""
    run = short(label)
    (said,) = run.truth
    assert run.report["capture"]["lost"] == 0
    read = [s for s in stacks(run) if s.frames[0][2] == "read" and s.type == "Data"]
    served = [s for s in stacks(run) if s.frames[0][2] == "serve" and s.type == "Row"]
    assert len({s.pid for s in read}) == len({s.pid for s in served}) == said["workers"]
    assert sum(s.weight for s in read) // 4096 == 19 * said["workers"]
    assert sum(s.weight for s in served) // 4096 == 4 * said["workers"]
    own = {f[2] for s in read for f in s.frames if f[2].startswith("own_")}
    assert own == {f"own_{s.pid}" for s in read if any(f[2].startswith("own_") for f in s.frames)}
    assert len(own) == 60
