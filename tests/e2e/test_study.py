# SPDX-License-Identifier: MIT
"""The study that users cite (tests/lab/study.py): a dataset that workers read in random order, as objects and as one
piece of raw memory."""
from __future__ import annotations

import pytest

import pythons
from cow import ROOT, Run, at_line, run_cowtrace, show_sites, total

STUDY = str(ROOT / "tests" / "lab" / "study.py")
ITEMS = 60_000


def study(how: str) -> Run:
    run = run_cowtrace([], [pythons.system(), STUDY, how, str(ITEMS)])
    assert run.status == 0, run.stderr
    return run


@pytest.fixture(scope="module")
def dicts() -> Run:
    return study("dicts")


@pytest.fixture(scope="module")
def blob() -> Run:
    return study("blob")


def answers(run: Run) -> set[int]:
    return {line["total"] for line in run.truth if "total" in line}


def of_shared_pages(run: Run) -> int:
    return total(run.report["details"], origin="fork")


def test_reading_objects_copies_them(dicts: Run) -> None:
    """Nearly all copies are of reference counts, at the line that reads the item."""
    read = sum(at_line(dicts.report, STUDY, "read", cause="refcount", type=kind) for kind in ("str", "dict", "int"))
    assert read > 0.9 * of_shared_pages(dicts), show_sites(dicts.report)


def test_raw_memory_stays_shared(dicts: Run, blob: Run) -> None:
    assert len(answers(dicts)) == 4 and answers(dicts) == answers(blob)
    assert of_shared_pages(blob) < 1000, show_sites(blob.report)


def test_the_parent_copies_nothing_of_it(dicts: Run) -> None:
    """Its private memory grows all the same: it is left alone with the pages that the workers have copied."""
    parent = next(line for line in dicts.truth if "parent" in line)
    mark = f" [{parent['parent']}];"
    assert not [line for line in dicts.folded if mark in line and "Dicts.read" in line]
    assert parent["after"] - parent["before"] > 0.5 * of_shared_pages(dicts) * 4096 / 4


def test_what_is_advised(dicts: Run, blob: Run) -> None:
    """The promise is what the blob saves."""
    (advice,) = (a for a in dicts.report["advice"] if a["rule"].endswith("-in-container"))
    assert "study.py" in advice["text"] and "Dicts.read" in advice["text"]
    saved = (of_shared_pages(dicts) - of_shared_pages(blob)) * 4096 / 4
    promised = advice["bytes_per_process_upper_bound"]
    assert promised / 2 <= saved <= promised * 1.02
    assert not [a for a in blob.report["advice"] if a["rule"].endswith("-in-container")]
