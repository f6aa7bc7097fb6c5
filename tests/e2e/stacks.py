# SPDX-License-Identifier: MIT
"""Stacks of folded output, and of a target that says what its interpreter says."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cow import ROOT, Report, Run

Frame = tuple[str, int, str]  # file, line, function
FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*):(?P<line>\d+)\)", re.DOTALL)


def max_frames() -> int:
    match = re.search(r"#define CT_MAX_FRAMES (\d+)", (ROOT / "include/cowtrace/abi.h").read_text())
    assert match
    return int(match.group(1))


@dataclass
class Stack:
    pid: int
    frames: list[Frame]  # leaf first; one that has no file: its text alone
    cause: str
    type: str
    weight: int


def parse_frame(text: str) -> Frame:
    match = FRAME.fullmatch(text)
    return (match["file"], int(match["line"]), match["function"]) if match else ("", 0, text)


def stacks(run: Run) -> Iterator[Stack]:
    for line in run.folded:
        text, weight = line.rsplit(" ", 1)
        process, *frames, last = text.split(";")
        pid = re.search(r" \[(\d+)\]$", process)
        cause, _, kind = last.partition(" ")
        if pid:
            yield Stack(int(pid[1]), [parse_frame(f) for f in reversed(frames)], cause, kind, int(weight))


def expected_of(row: Report) -> list[Frame]:
    return [(file, line, function) for file, line, function in row["frames"]]


def difference(expected: list[Frame], got: list[Frame]) -> str | None:
    """A sentence, if the stacks differ. One that is too deep ends with a frame in brackets; what is there of
    it must be right."""
    if len(expected) > max_frames() and got[-1][2].startswith("["):
        if len(got) != max_frames() + 1:
            return f"cut after {len(got) - 1} frames of {len(expected)}"
        got, expected = got[:-1], expected[: max_frames()]
    for i, (want, have) in enumerate(zip(expected, got)):
        if want != have:
            return f"frame {i} of {len(expected)} is {have}, Python says {want}"
    if len(got) != len(expected):
        return f"{len(got)} frames, Python says {len(expected)}; the last is {got[-1]}"
    return None


def compare(run: Run) -> list[str]:
    """For targets that use witnessed.py: a sentence for each case whose object was not copied once, with
    exactly the stack that Python had."""
    found: dict[tuple[int, str], list[Stack]] = {}
    for stack in stacks(run):
        if stack.cause == "refcount" and stack.type.startswith("T_"):
            found.setdefault((stack.pid, stack.type[2:]), []).append(stack)
    wrong = []
    for row in run.truth:
        if "frames" not in row or "case" not in row:
            continue
        got = found.get((row["pid"], row["case"]), [])
        if len(got) != 1:
            wrong.append(f"{row['case']}: copied with {len(got)} different stacks")
            continue
        text = difference(expected_of(row), got[0].frames)
        if text:
            wrong.append(f"{row['case']}: {text}")
    return wrong


def many(wrong: list[str], run: Run, limit: int = 15) -> str:
    """For assertion messages."""
    warned = [line for line in run.stderr.splitlines() if line.startswith("cowtrace: ")]
    return "\n".join([f"{len(wrong)} stacks differ:", *wrong[:limit], *warned])
