# SPDX-License-Identifier: MIT
"""Stacks, frame by frame, against what the target's own interpreter says of itself at that same moment."""
from __future__ import annotations

import functools
import re
import tempfile
from pathlib import Path

import pytest

import interpreters
from cow import ROOT, Report, Run, run_cowtrace

Frame = tuple[str, int, str]
FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*):(?P<line>\d+)\)", re.DOTALL)


def max_frames() -> int:
    match = re.search(r"#define CT_MAX_FRAMES (\d+)", (ROOT / "include/cowtrace/abi.h").read_text())
    assert match
    return int(match.group(1))


def parse_frame(text: str) -> Frame:
    match = FRAME.fullmatch(text)
    return (match["file"], int(match["line"]), match["function"]) if match else ("", 0, text)


def stacks_of(run: Run) -> dict[str, list[list[Frame]]]:
    """For each case the stacks, leaf first, in which its object was copied."""
    found: dict[str, list[list[Frame]]] = {}
    for line in run.folded:
        *frames, cause = line.rsplit(" ", 1)[0].split(";")
        match = re.fullmatch(r"refcount T_(\w+)", cause)
        if match:
            found.setdefault(match[1], []).append([parse_frame(f) for f in reversed(frames[1:])])
    return found


def expected_of(row: Report) -> list[Frame]:
    return [(file, line, function) for file, line, function in row["frames"]]


def difference(name: str, expected: list[Frame], found: list[list[Frame]]) -> str | None:
    """A sentence, if a case was not copied exactly once with exactly the expected stack. A stack that is too
    deep ends with a frame in brackets; what is there of it must be right."""
    if len(found) != 1:
        return f"{name}: copied with {len(found)} different stacks"
    got = found[0]
    if len(expected) > max_frames() and got[-1][2].startswith("["):
        assert len(got) == max_frames() + 1, f"{name}: cut after {len(got) - 1} frames"
        got, expected = got[:-1], expected[: max_frames()]
    for i, (want, have) in enumerate(zip(expected, got)):
        if want != have:
            return f"{name}: frame {i} of {len(expected)} is {have}, Python says {want}"
    if len(got) != len(expected):
        return f"{name}: {len(got)} frames, Python says {len(expected)}; the last is {got[-1]}"
    return None


@functools.lru_cache(maxsize=None)
def traced(label: str, *options: str) -> Run:
    python = interpreters.named(label)
    with tempfile.TemporaryDirectory(prefix="cowtrace-") as outside:
        run = run_cowtrace([], python.command("stacks.py", python.place(Path(outside)), options=options))
    assert run.status == 0, run.stderr
    return run


@pytest.fixture(params=interpreters.labels())
def label(request: pytest.FixtureRequest) -> str:
    return request.param


def test_every_stack_is_what_python_says(label: str) -> None:
    run = traced(label)
    summary = run.truth[-1]
    said = {row["case"]: row for row in run.truth if "frames" in row}
    skipped = {row["skipped"]: row["why"] for row in run.truth if "skipped" in row}
    assert not [why for why in skipped.values() if why.startswith("failed")], skipped
    assert set(summary["cases"]) == set(said) | set(skipped)
    found = stacks_of(run)
    wrong = [difference(name, expected_of(row), found.get(name, [])) for name, row in said.items()]
    wrong = [text for text in wrong if text]
    assert not wrong, f"{len(wrong)} of {len(said)} stacks differ:\n" + "\n".join(wrong)
