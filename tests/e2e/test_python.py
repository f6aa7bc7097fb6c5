# SPDX-License-Identifier: MIT
"""Stacks and names of Python processes, and processes whose Python cowtrace does not know."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import pythons
from cow import (PAGE, ROOT, as_the_kernel_counts, assert_closed, assert_sums, at_line, in_symbol, line_of, run_cowtrace, show_sites,
                 target, total)


def stack_of(line: str) -> list[str]:
    """Frames of a folded line, without the process and the cause."""
    return line.rsplit(" ", 1)[0].split(";")[1:-1]


def deepest(folded: list[str], leaf: str) -> list[str]:
    found = [stack_of(line) for line in folded if any(f.startswith(leaf) for f in stack_of(line))]
    assert found, f"no stack ends in {leaf}"
    return max(found, key=len)


def test_version_is_reported(python: str) -> None:
    version = subprocess.run([python, "-c", "import platform; print(platform.python_version())"],
                             capture_output=True, text=True, check=True).stdout.strip()
    run = run_cowtrace([], [python, target("deep.py"), "5"])
    assert {p["python"] for p in run.report["processes"]} == {version}
    assert version in run.stderr


def test_stack_of_100_frames_is_whole(python: str) -> None:
    path = target("deep.py")
    run = run_cowtrace([], [python, path, "100"])
    assert at_line(run.report, path, "read", cause="refcount", type="bytes") == 23, (
        show_sites(run.report)
    )
    frames = deepest(run.folded, "read (")
    assert sum(f.startswith("descend (") for f in frames) == 100
    assert frames[0].startswith("<module> ("), frames[:3]
    line = line_of(path, "read")
    assert any(f.startswith("read (") and f.endswith(f"deep.py:{line})") for f in frames), frames[-3:]


def test_stack_of_300_frames_is_marked_as_cut(python: str) -> None:
    path = target("deep.py")
    run = run_cowtrace([], [python, path, "300"])
    assert at_line(run.report, path, "read", cause="refcount", type="bytes") == 23, (
        show_sites(run.report)
    )
    frames = deepest(run.folded, "read (")
    assert sum(f.startswith("descend (") for f in frames) == 208
    # A frame in brackets stands where the outer ones are missing.
    assert frames[0].startswith("["), frames[:3]


def test_code_without_a_file(python: str) -> None:
    path = target("execstring.py")
    run = run_cowtrace([], [python, path])
    assert run.truth[0]["changed"] == 23
    string = [s for s in run.report["sites"] if s["file"] == "<string>" and s["line"] == 5]
    assert total(string, cause="refcount", type="bytes", function="from_string") == 7, (
        show_sites(run.report)
    )
    assert at_line(run.report, path, "lambda", cause="refcount", type="bytes") == 5
    assert at_line(run.report, path, "generator", cause="refcount", type="bytes") == 11
    names = {s["function"] for s in run.report["sites"] if s["file"] and s["file"].endswith(path)}
    made = ("main.<locals>.<lambda>", "main.<locals>.<lambda>.<locals>.<genexpr>")
    assert {pythons.name_in_code(python, name) for name in made} <= names, names


def test_a_python_process_that_becomes_another_program(python: str) -> None:
    path = target("pyexec.py")
    run = run_cowtrace([], [python, path, target("storm"), "101"])
    assert run.truth[-1]["status"] == 0
    assert at_line(run.report, path, "read", cause="refcount", type="bytes") == 23
    assert in_symbol(run.report, "storm_write") == 101, show_sites(run.report)
    assert_closed(run.report)


def test_a_program_that_becomes_python(python: str) -> None:
    path = target("refcount23.py")
    run = run_cowtrace([], ["sh", "-c", '"$@"; exit 3', "sh", python, path])
    assert run.status == 3
    assert at_line(run.report, path, "bytes", cause="refcount", type="bytes") == 23


def test_threads_have_their_own_stacks(python: str) -> None:
    path = target("threads.py")
    run = run_cowtrace([], [python, path, str(ROOT / "build/targets/touch.so")])
    assert run.truth[0]["changed"] == 143, "the workload itself is wrong"
    # The Python thread that has released the GIL: its own line.
    ours = [s for s in run.report["sites"] if s["file"] and s["file"].endswith("threads.py")]
    line = line_of(path, "released")
    released = [s for s in ours if s["line"] == line and s["function"] == "released"]
    interpreter = ("refcount", "gc-header", "inline-cache", "lazy-cache", "allocator", "stack",
                   "native-data")
    assert sum(s["copies"] for s in released if s["cause"] not in interpreter) == 61, (
        show_sites(run.report)
    )
    # The main thread, at the same time.
    assert at_line(run.report, path, "main", cause="refcount", type="bytes") == 23
    # The thread that runs no Python blames no Python line.
    assert in_symbol(run.report, "touch_thread") == 59, show_sites(run.report)
    # The kernel counts attempts: of two threads that race for a page, the loser's too.
    capture = run.report["capture"]
    assert capture["lost"] == 0
    copies = as_the_kernel_counts(run.report)
    assert copies <= capture["kernel_copies"] <= copies + 20, capture


def test_no_control_character_gets_out(python: str) -> None:
    run = run_cowtrace([], [python, target("hostile.py")])
    assert run.truth[0]["changed"] == 39, "the workload itself is wrong"
    bad = {c for c in run.stderr if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0}
    bad |= {c for c in run.stderr if c in "\u200b\u202e\u2066\u2028\u2029"}
    assert not bad, f"the text report holds {sorted(map(ascii, bad))}"
    assert max(map(len, run.stderr.splitlines())) <= 100, "a line is wider than 100 columns"
    assert_sums(run.report)


def test_hostile_names_keep_their_copies_apart(python: str) -> None:
    run = run_cowtrace([], [python, target("hostile.py")])
    names = run.truth[0]["names"]
    sites = [s for s in run.report["sites"] if s["file"] and s["file"].startswith("/hostile/")]
    assert total(sites, cause="refcount") >= 39, show_sites(run.report)
    functions = {s["function"] for s in sites}
    for key in ("quotes", "semicolon", "astral", "markup", "kind2", "empty", "escape", "newline"):
        assert names[key] in functions, f"{key}: {sorted(map(ascii, functions))}"
    for key in ("huge", "surrogate", "nul"):
        assert names[key] not in functions
    assert any(f.startswith("lone\ufffd") for f in functions)
    huge = [f for f in functions if f.startswith("xxxx")]
    assert len(huge) == 1 and len(huge[0].encode()) <= 1024


def test_hostile_names_do_not_break_folded_lines(python: str) -> None:
    run = run_cowtrace([], [python, target("hostile.py")])
    weights = 0
    for line in run.folded:
        stack, weight = line.rsplit(" ", 1)
        assert weight.isdigit(), ascii(line)
        weights += int(weight)
        assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in line), ascii(line)
        assert stack.count(";") >= 1
    assert weights == run.report["capture"]["copied_bytes"]
    # <module>, main, child, work and the function: a semicolon in a name is no frame of its own.
    depth = {len(stack_of(line)) for line in run.folded if "/hostile/" in line}
    assert len(depth) == 1, depth


@pytest.mark.parametrize("version", pythons.TOO_OLD)
def test_a_python_that_is_too_old(version: str) -> None:
    python = pythons.need(version)
    run = run_cowtrace([], [python, target("preload.py"), "300000", "1"], env={"TRUTH": "1"})
    assert run.status == 0
    assert "too old" in run.stderr or "older than" in run.stderr, run.stderr
    assert version in run.stderr
    grown = run.truth[-1]["grown"]
    worker = max(run.report["processes"], key=lambda p: p["copies"])
    # Some tens of pages are copied before and after the loop.
    assert grown <= worker["copied_bytes"] <= grown + 300 * PAGE
    assert all(s["file"] is None for s in run.report["sites"])
    leaf = max(run.report["sites"], key=lambda s: s["copies"])
    assert leaf["function"], leaf
    assert_closed(run.report)


def test_a_process_that_is_not_python() -> None:
    run = run_cowtrace([], [target("storm"), "101"])
    assert all(p["python"] is None for p in run.report["processes"])
    assert all(s["file"] is None for s in run.report["sites"])
    assert "CPython" not in run.stderr.splitlines()[0]


def test_spawned_workers_share_nothing(any_python: str) -> None:
    run = run_cowtrace([], [any_python, target("spawn.py")])
    assert run.status == 0
    assert "nothing was shared" in run.stderr.lower(), run.stderr


def test_json_of_hostile_names_is_plain_json(python: str) -> None:
    """As jq would read it: no raw control characters, no lone surrogates."""
    run = run_cowtrace([], [python, target("hostile.py")])
    text = json.dumps(run.report, ensure_ascii=False)
    text.encode("utf-8")
