# SPDX-License-Identifier: MIT
"""Workloads whose number of copies is known by construction: the counts are equal, not close."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cow import (PAGE, as_the_kernel_counts, assert_closed, assert_sums, in_symbol, run_cowtrace, show_sites,
                 target, total)


def test_storm_is_counted_exactly() -> None:
    run = run_cowtrace([], [target("storm"), "10007", "3"])
    assert run.status == 0
    assert run.truth[0]["changed"] == 30021
    assert in_symbol(run.report, "storm_write") == 30021, show_sites(run.report)
    assert_closed(run.report)
    assert_sums(run.report)


def test_storm_counts_each_process() -> None:
    run = run_cowtrace([], [target("storm"), "1009", "3"])
    processes = run.report["processes"]
    assert len(processes) == 4, processes
    master = processes[0]
    children = [p for p in processes if p["ppid"] == master["pid"]]
    assert len(children) == 3
    for child in children:
        assert 1009 <= child["copies"] < 1009 + 60
        assert child["copied_bytes"] == child["copies"] * PAGE


def writes_to_pages(pages: int) -> int:
    """Copies and reuses of the reuse program, none of its own pages being a copy."""
    run = run_cowtrace([], [target("reuse"), str(pages)], fixed_layout=True)
    assert run.truth[0]["changed"] == 0
    assert in_symbol(run.report, "reuse_write") == 0, show_sites(run.report)
    assert run.report["capture"]["reuses"] >= pages
    assert_closed(run.report)
    return run.report["capture"]["reuses"] + run.report["capture"]["copies"]


def test_reused_pages_are_no_copies() -> None:
    """The same program with 29 pages more: 29 reuses more, and no copy of them.

    Which of parent and child copies the pages that both write around the fork, and which reuses them,
    differs from run to run; their sum does not (130 of 130 runs, 90 of them on a busy machine; one
    earlier failure was not explained, hence the median of three)."""
    more = sorted(writes_to_pages(29) - writes_to_pages(0) for _ in range(3))
    assert more[1] == 29, more


def test_threads_that_race_for_a_page_make_one_copy() -> None:
    run = run_cowtrace([], [target("race"), "4999"])
    assert run.truth[0]["changed"] == 4999
    assert in_symbol(run.report, "race_write") == 4999, show_sites(run.report)
    capture = run.report["capture"]
    # The kernel counts attempts, the loser's too.
    assert capture["kernel_copies"] >= as_the_kernel_counts(run.report)
    assert capture["lost"] == 0
    assert_sums(run.report)


def origins(report: dict, origin: str) -> int:
    return total(report["causes"], origin=origin)


def test_zero_pages_have_their_own_origin() -> None:
    without = run_cowtrace([], [target("zero"), "1"], fixed_layout=True)
    run = run_cowtrace([], [target("zero"), "42"], fixed_layout=True)
    assert run.truth[0]["changed"] == 42
    assert in_symbol(run.report, "zero_write") == 42, show_sites(run.report)
    assert origins(run.report, "zero") - origins(without.report, "zero") == 41
    assert origins(run.report, "fork") == origins(without.report, "fork")
    assert_closed(run.report)


def test_file_pages_have_their_own_origin() -> None:
    without = run_cowtrace([], [target("filemap"), "1"], fixed_layout=True)
    run = run_cowtrace([], [target("filemap"), "38"], fixed_layout=True)
    assert run.truth[0]["changed"] == 38
    assert in_symbol(run.report, "filemap_write") == 38, show_sites(run.report)
    assert origins(run.report, "file") - origins(without.report, "file") == 37
    assert origins(run.report, "fork") == origins(without.report, "fork")
    assert_closed(run.report)


def test_forked_pages_have_origin_fork() -> None:
    """The storm writes with plain stores, which makes its pages `buffer`. Which of parent and child
    copies the pages that both write around the fork differs from run to run."""
    for count in (1, 101):
        run = run_cowtrace([], [target("storm"), str(count)], fixed_layout=True)
        buffers = [c for c in run.report["causes"] if c["cause"] == "buffer"]
        assert sum(c["copies"] for c in buffers if c["origin"] == "fork") == count, buffers


def test_vfork_child_writes_in_its_parents_memory() -> None:
    run = run_cowtrace([], [target("vfork")])
    assert run.truth[0]["changed"] == 12
    assert in_symbol(run.report, "vfork_child") == 5, show_sites(run.report)
    assert in_symbol(run.report, "vfork_parent") == 7, show_sites(run.report)
    assert_closed(run.report)
    assert_sums(run.report)


def test_exec_in_a_child() -> None:
    run = run_cowtrace([], [target("exec")])
    assert run.status == 0
    assert in_symbol(run.report, "exec_before") == 11, show_sites(run.report)
    assert in_symbol(run.report, "exec_after") == 17, show_sites(run.report)
    assert_closed(run.report)


def test_a_command_that_is_gone_at_once_is_counted() -> None:
    run = run_cowtrace([], [target("storm"), "101"], env={"LINGER_MS": "0"})
    assert sum(s["copies"] for s in run.report["sites"] if s["function"].startswith("storm")) == 101, (
        show_sites(run.report)
    )
    assert_closed(run.report)
    assert_sums(run.report)


def test_two_thousand_children_that_live_5_ms() -> None:
    run = run_cowtrace([], [target("manyforks"), "2000", "5"])
    assert run.status == 0
    assert in_symbol(run.report, "manyforks_write") == 6000, show_sites(run.report)
    assert len(run.report["processes"]) == 2001
    assert_closed(run.report)
    assert_sums(run.report)


def test_a_million_copies_at_full_speed_lose_none() -> None:
    run = run_cowtrace([], [target("storm"), "100003", "10"])
    assert run.truth[0]["changed"] == 1_000_030
    assert in_symbol(run.report, "storm_write") == 1_000_030, show_sites(run.report)
    assert_closed(run.report)


def test_losses_are_counted_when_the_ring_is_tiny() -> None:
    run = run_cowtrace(["--ring-size", "4096"], [target("storm"), "100003"])
    capture = run.report["capture"]
    assert run.status == 0
    assert capture["lost"] > 0, capture
    assert sum(capture["lost_by_reason"].values()) == capture["lost"]
    assert capture["lost_by_reason"].get("ring_full", 0) > 0
    counted = as_the_kernel_counts(run.report) + capture["lost"]
    assert abs(counted - capture["kernel_copies"]) <= 0.01 * capture["kernel_copies"], capture
    assert_sums(run.report)
    assert "lost" in run.stderr
    assert f"{capture['lost']:,}" in run.stderr, run.stderr
    assert any("lost" in line for line in run.folded), "the folded output does not show the losses"


@pytest.fixture()
def delayacct_off() -> Iterator[Path]:
    """The kernel's delay accounting, switched off for one test."""
    switch = Path("/proc/sys/kernel/task_delayacct")
    if not switch.exists():
        pytest.skip("this kernel has no switch for delay accounting")
    before = switch.read_text()
    switch.write_text("0")
    yield switch
    switch.write_text(before)


def test_without_delay_accounting_the_kernels_count_is_unknown(delayacct_off: Path) -> None:
    run = run_cowtrace([], [target("storm"), "101"], delayacct=False)
    assert run.report["capture"]["kernel_copies"] is None
    assert in_symbol(run.report, "storm_write") == 101
    assert delayacct_off.read_text().strip() == "0"


def test_delayacct_is_put_back(delayacct_off: Path) -> None:
    run = run_cowtrace([], ["cat", str(delayacct_off)])
    assert run.stdout.strip() == "1"
    assert delayacct_off.read_text().strip() == "0"
