# SPDX-License-Identifier: MIT
"""Everything that can break sharing: each kind of page and of write, by the truth of the program itself."""
from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cow import PAGE, Run, assert_closed, assert_sums, in_symbol, run_cowtrace, show_sites, target, total

HUGE = 2 << 20


@pytest.fixture(autouse=True)
def settings_of_the_machine() -> Iterator[None]:
    """Swap, huge pages and KSM are the machine's: one test at a time changes them."""
    with open(target("swapped"), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def trace(*command: str, args: tuple[str, ...] = ()) -> tuple[Run, dict[str, Any]]:
    run = run_cowtrace(list(args), [target(command[0]), *command[1:]])
    assert run.status == 0, run.stderr
    if "skip" in run.truth[0]:
        pytest.skip(run.truth[0]["skip"])
    assert_sums(run.report)
    return run, run.truth[0]


def details(run: Run, function: str) -> list[dict[str, Any]]:
    return [d for d in run.report["details"] if d["function"] == function]


def not_seen(run: Run, noun: str) -> bool:
    """The report says that this machine does not see it."""
    limits = run.report["capture"]["witness_limits"]
    words = f"Not seen by the witness `{run.report['capture']['witness']}`: {limits}"
    assert not limits or words in " ".join(run.stderr.split()), run.stderr
    return noun in limits


@pytest.mark.parametrize("how", ["plain", "drop"])
def test_first_write_to_a_page_of_a_private_file(how: str) -> None:
    run, truth = trace("coldfile", "37", how)
    assert truth["changed"] == 37
    (detail,) = details(run, "coldfile_write")
    assert (detail["copies"], detail["origin"]) == (37, "file"), detail
    assert run.report["capture"]["uncounted_by_kernel"] >= 37
    assert_closed(run.report)


def test_the_kernel_writes_to_a_private_file_first() -> None:
    run, truth = trace("coldfile", "41", "kernel")
    assert truth["changed"] == 41
    (detail,) = details(run, "read (kernel)")
    assert (detail["copies"], detail["origin"], detail["cause"]) == (41, "file", "kernel-write"), detail
    assert_closed(run.report)


def test_pages_that_were_swapped_out() -> None:
    run, truth = trace("swapped", "53")
    assert (truth["swapped"], truth["left"]) == (53, 0)
    assert in_symbol(run.report, "swapped_write") == 53, show_sites(run.report)
    assert {d["origin"] for d in details(run, "swapped_write")} == {"fork"}
    assert_closed(run.report)


def test_the_huge_page_of_zeros() -> None:
    """Since 6.18 a huge page for each; before, a small one."""
    run, truth = trace("hugezero", "7")
    assert truth["changed"] in (7, 7 * HUGE // PAGE)
    (detail,) = details(run, "hugezero_write")
    assert (detail["copies"], detail["origin"]) == (7, "zero"), detail
    assert detail["copied_bytes"] == truth["changed"] * PAGE
    folded = [line for line in run.folded if ";hugezero_write;" in line]
    assert sum(int(line.rsplit(" ", 1)[1]) for line in folded) == truth["changed"] * PAGE, folded
    if truth["changed"] > 7:
        assert {"bytes": HUGE, "copies": 7} in run.report["page_sizes"]
        assert "7 of the pages were huge, of 2.0 MiB each: together 14.0 MiB" in " ".join(run.stderr.split())
    assert_closed(run.report)


def test_huge_pages_are_split() -> None:
    run, truth = trace("thp", "5")
    assert (truth["changed"], truth["large"]) == (5, 5)
    assert in_symbol(run.report, "thp_write") == 5, show_sites(run.report)
    assert run.report["page_sizes"] == [{"bytes": PAGE, "copies": run.report["capture"]["copies"]}]
    assert_closed(run.report)


def test_pages_of_larger_folios() -> None:
    run, truth = trace("mthp", "61")
    assert truth["changed"] == 61 and truth["folios"] > 0, truth
    assert in_symbol(run.report, "mthp_write") == 61, show_sites(run.report)
    assert_closed(run.report)


def test_hugetlb() -> None:
    run, truth = trace("hugetlb", "5")
    assert truth["changed"] == 5 * HUGE // PAGE
    if run.report["capture"]["witness"] == "tracepoints":
        assert not_seen(run, "hugetlb")
        assert in_symbol(run.report, "hugetlb_write") == 0
        assert run.report["capture"]["kernel_copies"] > run.report["capture"]["copies"]
        assert "it also has what this witness does not see: hugetlb" in " ".join(run.stderr.split())
        return
    (detail,) = details(run, "hugetlb_write")
    assert (detail["copies"], detail["copied_bytes"]) == (5, 5 * HUGE), detail
    assert_closed(run.report)


def test_merged_pages() -> None:
    run, truth = trace("ksm", "41")
    assert truth["changed"] == 41
    (detail,) = details(run, "ksm_write")
    origin = "fork" if not_seen(run, "KSM") else "ksm"
    assert (detail["copies"], detail["origin"]) == (41, origin), detail
    assert_closed(run.report)


def test_userfaultfd_copies_nothing() -> None:
    run, truth = trace("uffdwp", "47")
    assert (truth["changed"], truth["faults"]) == (0, 47)
    assert in_symbol(run.report, "uffdwp_write") == 0, show_sites(run.report)
    assert_closed(run.report)


def test_userfaultfd_on_shared_pages_copies_once() -> None:
    run, truth = trace("uffdwp", "43", "shared")
    assert (truth["changed"], truth["faults"]) == (43, 43)
    assert in_symbol(run.report, "uffdwp_write") == 43, show_sites(run.report)
    assert_closed(run.report)


def test_pages_pinned_for_reading() -> None:
    """A copy without a write, since 6.0."""
    run, truth = trace("unshare", "43")
    assert truth["changed"] in (0, 43)
    assert total(run.report["details"], detail="unshare", cause="kernel-write") == truth["changed"]
    assert in_symbol(run.report, "process_vm_readv (kernel)") == truth["changed"], show_sites(run.report)
    assert_closed(run.report)


def test_direct_io() -> None:
    run, truth = trace("odirect", "29")
    assert truth["changed"] == 29
    assert in_symbol(run.report, "pread64 (kernel)", cause="kernel-write") == 29, show_sites(run.report)
    assert run.report["foreign"] == []
    assert_closed(run.report)


@pytest.mark.parametrize(("name", "call", "pages"), [("ptracepoke", "ptrace", 17),
                                                     ("vmwritev", "process_vm_writev", 23)])
def test_memory_of_another_process(name: str, call: str, pages: int) -> None:
    run, truth = trace(name, str(pages))
    assert truth["changed"] == pages
    assert in_symbol(run.report, f"{call} (kernel)", cause="kernel-write") == pages, show_sites(run.report)
    (row,) = run.report["foreign"]
    assert (row["victim"], row["how"], row["copies"]) == (truth["victim"], call, pages), row
    assert row["victim"] != row["pid"]
    words = f"{pages} of the pages were in the memory of {name}"
    assert words in " ".join(run.stderr.split()), run.stderr
    assert_closed(run.report)


def test_proc_pid_mem() -> None:
    run, truth = trace("procmem", "19")
    assert truth["changed"] == 19
    assert in_symbol(run.report, "pwrite64 (kernel)", cause="kernel-write") == 19, show_sites(run.report)
    if not not_seen(run, "the address"):
        (row,) = run.report["foreign"]
        assert (row["victim"], row["copies"]) == (truth["victim"], 19), row
    assert_closed(run.report)


def test_what_is_not_seen_is_said() -> None:
    """In the report, and only what this machine really can not see."""
    run, _ = trace("storm", "11")
    assert "out of its count, and so does this comparison" in " ".join(run.stderr.split())
    if run.report["capture"]["witness"] == "tracepoints":
        assert not_seen(run, "hugetlb") and not_seen(run, "KSM")
        assert not not_seen(run, "private file mappings")
        assert run.report["sharers"] == []
    else:
        assert run.report["capture"]["witness_limits"] == ""
        assert {"sharers": 2, "copies": 11} in run.report["sharers"] or run.report["sharers"][0]["copies"] >= 11


def test_reading_files_is_not_taken_for_anything(tmp_path: Path) -> None:
    """Pages of the page cache are allocated as those of copies are, but for what the kernel's stack says."""
    data = tmp_path / "data"
    data.write_bytes(b"x" * (8 << 20))
    run = run_cowtrace([], ["cp", str(data), "/dev/shm/cowtrace-cp"])
    Path("/dev/shm/cowtrace-cp").unlink()
    assert run.status == 0, run.stderr
    assert run.report["capture"]["copies"] < 300, show_sites(run.report)
    assert_closed(run.report)
