# SPDX-License-Identifier: MIT
"""Each cause that a program can force, by a prime number of pages."""
from __future__ import annotations

import pytest

import pythons
from cow import (assert_closed, assert_sums, at_line, in_symbol, run_cowtrace, show_sites, target, total)

OBJECTS = {"bytes": 23, "str": 19, "int": 17, "tuple": 13, "Payload": 11}


def test_objects_that_are_read(python: str) -> None:
    """23 objects, each alone on its pages, read once: 23 copies, refcount, inc, right type and line."""
    path = target("refcount23.py")
    run = run_cowtrace([], [python, path])
    assert run.truth[0]["changed"] == {**OBJECTS, "dec": 29}, "the workload itself is wrong"
    for kind, count in OBJECTS.items():
        assert at_line(run.report, path, kind, cause="refcount", type=kind) == count, (
            f"{kind}:\n" + show_sites(run.report)
        )
        assert total(run.report["types"], type=kind, cause="refcount") >= count
    assert_closed(run.report)
    assert_sums(run.report)


def test_reading_is_inc_and_dropping_is_dec(python: str) -> None:
    path = target("refcount23.py")
    run = run_cowtrace([], [python, path])
    assert at_line(run.report, path, "dec", cause="refcount", type="bytes") == 29, (
        show_sites(run.report)
    )
    causes = run.report["causes"]
    every = total(causes, cause="refcount")
    inc = total(causes, cause="refcount", detail="inc", certainty="proven")
    dec = total(causes, cause="refcount", detail="dec", certainty="proven")
    assert inc >= sum(OBJECTS.values())
    assert dec >= 29
    # Neither may hide in the other: what is left is a handful of the interpreter's own objects.
    assert inc <= every - 29 and dec <= every - sum(OBJECTS.values()), causes


def test_gc_collect(python: str) -> None:
    path = target("gc13.py")
    run = run_cowtrace([], [python, path])
    assert run.truth[0]["changed"] == 13, "the workload itself is wrong"
    assert at_line(run.report, path, "collect", cause="gc-header", type="Tracked") == 13, (
        show_sites(run.report)
    )
    assert total(run.report["causes"], cause="gc-header", detail="collect", certainty="proven") >= 13
    assert_closed(run.report)


@pytest.mark.parametrize("version", pythons.SUPPORTED)
def test_inline_caches(version: str) -> None:
    """3.11 brought them: before, the same program writes to none of its bytecode."""
    expected = 0 if version in ("3.8", "3.9", "3.10") else 37
    run = run_cowtrace([], [pythons.need(version), target("inlinecache.py")])
    assert run.truth[0]["changed"] == run.truth[0]["expected"] == expected, "the workload itself is wrong"
    cached = [s for s in run.report["sites"] if s["function"] == "cached"]
    assert total(cached, cause="inline-cache") == expected, show_sites(run.report)
    if expected:
        assert {s["file"] for s in cached} == {"/generated/cached.py"}
    else:
        assert total(run.report["causes"], cause="inline-cache") == 0, show_sites(run.report)
    assert_closed(run.report)


@pytest.mark.parametrize("version", pythons.SUPPORTED)
def test_pymalloc(version: str) -> None:
    expected = 53 if version in ("3.8", "3.9") else 107
    path = target("alloc.py")
    run = run_cowtrace([], [pythons.need(version), path])
    truth = run.truth[0]
    assert truth["changed"] == truth["expected"] == expected and truth["handed_out"], "wrong workload"
    assert at_line(run.report, path, "allocate", cause="allocator") == expected, show_sites(run.report)
    pymalloc = [c for c in run.report["causes"] if c["detail"].startswith("pymalloc")]
    assert total(pymalloc, cause="allocator") >= expected, run.report["causes"]
    assert_closed(run.report)


def test_native_data() -> None:
    run = run_cowtrace([], [target("data")])
    assert run.truth[0]["changed_data"] == 43 and run.truth[0]["changed_bss"] == 47
    assert in_symbol(run.report, "data_write", cause="native-data") == 43, show_sites(run.report)
    assert in_symbol(run.report, "bss_write", cause="native-data") == 47, show_sites(run.report)
    assert_closed(run.report)


@pytest.mark.parametrize("where", ["main", "thread"])
def test_stack(where: str) -> None:
    run = run_cowtrace([], [target("stack"), where])
    assert run.truth[0]["changed"] == 19
    assert in_symbol(run.report, "stack_write", cause="stack") == 19, show_sites(run.report)
    assert_closed(run.report)


def test_kernel_write() -> None:
    run = run_cowtrace([], [target("kernelwrite"), "31"])
    assert run.truth[0]["changed"] == 31
    # The site is the system call.
    assert in_symbol(run.report, "read (kernel)", cause="kernel-write") == 31, show_sites(run.report)
    assert total(run.report["causes"], cause="kernel-write", detail="read") == 31
    assert_closed(run.report)


@pytest.mark.parametrize("name", ["refcount23.py", "gc13.py", "inlinecache.py", "alloc.py"])
def test_little_is_unknown(python: str, name: str) -> None:
    run = run_cowtrace([], [python, target(name)])
    copies = run.report["capture"]["copies"]
    unknown = total(run.report["causes"], cause="unknown")
    assert unknown <= 0.1 * copies, show_sites(run.report)
    proven = total(run.report["causes"], certainty="proven")
    assert proven == run.report["capture"]["proven"]
