# SPDX-License-Identifier: MIT
"""Whose stack it is, where several threads and several interpreters live in one process."""
from __future__ import annotations

import pytest

import interpreters
from cow import run_cowtrace
from stacks import compare, difference, expected_of, many, stacks

# What C code writes to raw memory for; which of them it is, is not the matter here.
NOT_OBJECTS = ("buffer", "allocator")


@pytest.fixture(params=interpreters.labels())
def label(request: pytest.FixtureRequest) -> str:
    return request.param


def test_threads_that_gave_up_the_gil(label: str) -> None:
    """The kernel writes for them, or C code does, while another thread runs Python."""
    run = run_cowtrace([], interpreters.named(label).command("detached.py"))
    assert run.status == 0, run.stderr
    summary = run.truth[-1]
    assert len(run.truth) == 1 + summary["count"] * (1 + summary["ctypes"])
    frames = {"readv": [], "memset": []}
    for stack in stacks(run):
        if stack.frames and stack.frames[0][2] == "read_into" and stack.cause == "kernel-write":
            frames["readv"].append(stack.frames)
        if stack.frames and stack.frames[0][2] == "set_in_c" and stack.cause in NOT_OBJECTS:
            frames["memset"].append(stack.frames)
    missing = [row["case"] for row in run.truth[:-1]
               if expected_of(row) not in frames[row["case"].split("_")[0]]]
    assert not missing, f"{missing}: no copy has that stack"


def test_subinterpreters(label: str) -> None:
    run = run_cowtrace([], interpreters.named(label).command("subinterp.py"), env={"MALLOC_ARENA_MAX": "1"})
    assert run.status == 0, run.stderr
    wrong = compare(run)
    said = [row for row in run.truth if "leaf" in row]
    assert {row["leaf"] for row in said} == set(run.truth[-1]["leaves"])
    for row in said:
        expected = expected_of(row)
        # Several leaves of one name are told apart by their depth.
        found = [s.frames for s in stacks(run)
                 if s.frames and s.frames[0] == expected[0] and len(s.frames) == len(expected)]
        wrong += [f"{row['leaf']}: no copy has its stack"] if not found else []
        wrong += [f"{row['leaf']}: {text}" for text in (difference(expected, f) for f in found) if text]
    assert not wrong, many(wrong, run)
