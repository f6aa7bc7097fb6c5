# SPDX-License-Identifier: MIT
"""Realistic workloads on the system's CPython: what scripts/workloads asks of all of them, on every version."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workloads"))

import versions  # noqa: E402
import measure  # noqa: E402
import pythons  # noqa: E402

SOME = ("dataclasses", "flask", "sqlite3")


@pytest.fixture(scope="module")
def cells() -> Iterator[dict[str, measure.Cell]]:
    """One run of each, and a run of the first with gc.freeze()."""
    interpreter = versions.of_this_machine(pythons.system(), "system")
    try:
        found = {}
        for workload in measure.WORKLOADS:
            if workload.name in SOME:
                found[workload.name] = measure.run(interpreter, workload)
            if workload.name == "flask":
                found["flask frozen"] = measure.run(interpreter, workload, gc="freeze")
        yield found
    finally:
        versions.close_interpreter(interpreter)


@pytest.mark.parametrize("name", SOME)
def test_nothing_is_left_unexplained(cells: dict[str, measure.Cell], name: str) -> None:
    cell = cells[name]
    assert cell.missing is None, "scripts/setup test installs what the workloads need"
    assert cell.failures() == [], sorted(cell.details.items(), key=lambda item: -item[1])[:12]


@pytest.mark.parametrize("name", SOME)
def test_reading_is_what_copies(cells: dict[str, measure.Cell], name: str) -> None:
    """All three only read what they share: most of it is copied all the same, for reference counts."""
    cell = cells[name]
    assert cell.workers == 4
    assert cell.total > cell.shared * 0.3
    assert cell.copied["refcount"] > cell.total * 0.6


def test_freeze_keeps_the_collector_out(cells: dict[str, measure.Cell]) -> None:
    """A frozen heap is not walked; the answers stay what they are."""
    default, frozen = cells["flask"], cells["flask frozen"]
    assert frozen.answer == default.answer
    assert frozen.failures() == []
    if default.collections[2]:
        assert frozen.copied.get("gc-header", 0) < default.copied["gc-header"] / 10
    assert frozen.total <= default.total * 1.02


# Local variables are borrowed since 3.14, where they are only passed on, measured or compared.
BORROWED = {"len(local)", "local is None", "function(local)"}


@pytest.mark.parametrize("version", versions.VERSIONS)
def test_each_way_of_reading_writes_all_objects_or_none(version: str) -> None:
    try:
        interpreter = versions.open_plain(version)
    except versions.Missing as why:
        pytest.skip(str(why))
    try:
        written = measure.reading(interpreter)
    finally:
        versions.close_interpreter(interpreter)
    borrows = versions.VERSIONS.index(version) >= versions.VERSIONS.index("3.14")
    assert len(written) == 20
    assert written == {way: 0 if borrows and way in BORROWED else 53 for way in written}
