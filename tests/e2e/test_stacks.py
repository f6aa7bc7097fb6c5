# SPDX-License-Identifier: MIT
"""Stacks, frame by frame, against what the target's own interpreter says of itself at that same moment."""
from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest

import interpreters
import pythons
from cow import PAGE, Run, line_of, run_cowtrace, target
from stacks import compare, many, max_frames, stacks


@functools.lru_cache(maxsize=None)
def traced(label: str) -> Run:
    python = interpreters.named(label)
    with tempfile.TemporaryDirectory(prefix="cowtrace-") as outside:
        run = run_cowtrace([], python.command("stacks.py", python.place(Path(outside))))
    assert run.status == 0, run.stderr
    return run


@pytest.fixture(params=interpreters.labels())
def label(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_stack_is_what_python_says(label: str) -> None:
    run = traced(label)
    summary = run.truth[-1]
    said = {row["case"] for row in run.truth if "frames" in row}
    skipped = {row["skipped"]: row["why"] for row in run.truth if "skipped" in row}
    assert not [why for why in skipped.values() if why.startswith("failed")], skipped
    assert set(summary["cases"]) == said | set(skipped)
    assert len(said) > 140
    wrong = compare(run)
    assert not wrong, many(wrong, run)


def test_a_stack_is_whole_or_says_that_it_is_cut(label: str) -> None:
    run = traced(label)
    said = {row["case"]: row["frames"] for row in run.truth if "frames" in row}
    for depth in run.truth[-1]["deep"]:
        (found,) = (s for s in stacks(run) if s.type == f"T_deep_{depth}")
        cut = found.frames[-1][2].startswith("[")
        assert cut == (len(said[f"deep_{depth}"]) > max_frames()), found.frames[-1]
        assert len(found.frames) == min(len(said[f"deep_{depth}"]), max_frames() + 1)


def test_several_versions_in_one_tree() -> None:
    """Each runs the next one as a child process, and has a child of its own."""
    found = [path for path in map(pythons.find, interpreters.LOCAL) if path]
    if len(found) < 2:
        pytest.skip("only one CPython on this machine")
    run = run_cowtrace([], [found[0], target("relay.py"), *found[1:]], env={"LINGER_MS": "200"})
    assert run.status == 0, run.stderr
    versions = {row["version"] for row in run.truth if "version" in row}
    assert len(versions) == len(found)
    assert {p["python"] for p in run.report["processes"]} == versions
    wrong = compare(run)
    assert not wrong, many(wrong, run)
    assert len([row for row in run.truth if "frames" in row]) == 3 * len(found)


@pytest.mark.parametrize("label", ("fetched-3.14", "fetched-3.15"))
def test_functions_that_the_jit_compiled(label: str) -> None:
    """With the JIT the function is exact; the line is one of the same function, for machine code does not note
    every instruction."""
    python = interpreters.named(label)
    run = run_cowtrace([], python.command("jit.py"), env={"PYTHON_JIT": "1"})
    assert run.status == 0, run.stderr
    (said,) = run.truth
    if not said["enabled"]:
        pytest.skip(f"{label} was built without the JIT")
    assert said["active"], "the functions did not run as machine code"
    path = target("jit.py")
    # The parent frees them in the end, and copies one if somebody (cowtrace) just looks at it.
    found = [s for s in stacks(run) if s.type == "Jitted" and s.pid == said["pid"]]
    assert sum(s.weight for s in found) == PAGE * said["count"], many([str(s) for s in found], run)
    for stack in found:
        assert [f[2] for f in stack.frames] == [
            "leaf", "outer", "main.<locals>.work", "child", "main", "<module>"]
        for function in ("leaf", "outer"):
            (line,) = (f[1] for f in stack.frames if f[2] == function)
            first, last = line_of(path, f"{function} first"), line_of(path, f"{function} last")
            assert first <= line <= last, stack
