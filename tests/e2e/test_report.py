# SPDX-License-Identifier: MIT
"""The contract of the JSON, and what the text report must say."""
from __future__ import annotations

import os
import platform
import re
from typing import Any

import pytest

from cow import Run, as_the_kernel_counts, assert_sums, run_cowtrace, target

CAUSES = {"refcount", "gc-header", "inline-cache", "lazy-cache", "mutation", "allocator", "native-data",
          "stack", "buffer", "kernel-write", "unknown"}

Null = type(None)
SCHEMA: dict[str, Any] = {
    "schema": int,
    "version": str,
    "host": {"kernel": str, "machine": str, "page_size": int},
    "capture": {"witness": str, "seconds": (int, float), "copies": int, "copied_bytes": int,
                "reuses": int, "lost": int, "lost_by_reason": dict, "proven": int,
                "kernel_copies": (int, Null)},
    "processes": [{"pid": int, "ppid": int, "command": str, "python": (str, Null), "copies": int,
                   "copied_bytes": int, "shared_at_fork_bytes": (int, Null),
                   "shared_now_bytes": (int, Null), "new_bytes": (int, Null)}],
    "causes": [{"cause": str, "detail": (str, Null), "origin": str, "certainty": str, "copies": int,
                "copied_bytes": int}],
    "types": [{"type": str, "cause": str, "copies": int, "copied_bytes": int}],
    "sites": [{"file": (str, Null), "line": (int, Null), "function": (str, Null), "cause": str,
               "type": (str, Null), "copies": int, "copied_bytes": int}],
    "advice": [{"rule": str, "text": str, "bytes_per_process_upper_bound": int}],
}


def check_shape(value: Any, shape: Any, where: str) -> None:
    if isinstance(shape, dict):
        assert isinstance(value, dict), where
        for key, inner in shape.items():
            assert key in value, f"{where}.{key} is missing"
            check_shape(value[key], inner, f"{where}.{key}")
    elif isinstance(shape, list):
        assert isinstance(value, list), where
        for i, item in enumerate(value):
            check_shape(item, shape[0], f"{where}[{i}]")
    else:
        assert isinstance(value, shape) and not isinstance(value, bool), f"{where}: {value!r}"


@pytest.fixture(scope="module")
def preload(any_python: str) -> Run:
    return run_cowtrace([], [any_python, target("preload.py"), "1000003"], env={"TRUTH": "1"})


def test_json_has_the_keys_of_the_contract(preload: Run) -> None:
    check_shape(preload.report, SCHEMA, "report")
    assert preload.report["schema"] == 1
    assert preload.report["host"] == {"kernel": os.uname().release, "machine": platform.machine(),
                                      "page_size": os.sysconf("SC_PAGE_SIZE")}
    assert preload.report["capture"]["witness"] in ("fexit", "kprobe", "tracepoints", "wp_page_copy")
    assert {r["cause"] for r in preload.report["causes"]} <= CAUSES
    assert {r["origin"] for r in preload.report["causes"]} <= {"fork", "file", "zero", "ksm"}
    assert {r["certainty"] for r in preload.report["causes"]} <= {"proven", "likely", "none"}
    assert_sums(preload.report)


def test_folded_weights_are_the_copied_bytes(preload: Run) -> None:
    assert preload.folded
    total = 0
    for line in preload.folded:
        match = re.fullmatch(r"(.+) \[(\d+)\];(?:.+;)?([a-z-]+)(?: (.+))? (\d+)", line)
        assert match, line
        assert match.group(3) in CAUSES, line
        total += int(match.group(5))
    assert total == preload.report["capture"]["copied_bytes"]


def test_folded_stacks_are_root_first(preload: Run) -> None:
    heaviest = max(preload.folded, key=lambda line: int(line.rsplit(" ", 1)[1]))
    frames = heaviest.rsplit(" ", 1)[0].split(";")
    names = [frame.split(" (")[0] for frame in frames[1:-1]]
    assert names == ["<module>", "main", "work", "BigApp.total"], heaviest
    assert frames[-1] == "refcount int"


def test_text_report_is_in_the_order_of_the_design(preload: Run) -> None:
    text = preload.stderr
    places = [text.index(word) for word in
              ("SHARING BROKEN", "WHY", "WHERE", "WHO", "WHAT WOULD HELP")]
    assert places == sorted(places)
    head = text.split("\n\n")[0]
    for word in ("cowtrace", " s ", "CPython", preload.report["capture"]["witness"], "0 lost"):
        assert word in head, head
    assert f"{preload.report['capture']['copies']:,}" in text
    assert "BigApp.total" in text and "for item in self.big_data:" in text


def test_text_report_is_100_columns_wide_and_plain(preload: Run) -> None:
    assert max(map(len, preload.stderr.splitlines())) <= 100
    assert "\x1b" not in preload.stderr, "colour in a pipe"
    assert not re.search(r"\b(nan|inf|-0)\b", preload.stderr)


def test_copied_bytes_match_each_workers_growth(preload: Run) -> None:
    """Private_Dirty before and after the loop, read by the worker itself."""
    grown = {row["pid"]: row["grown"] for row in preload.truth if "grown" in row}
    assert len(grown) == 3
    for process in preload.report["processes"]:
        if process["pid"] in grown:
            want = grown[process["pid"]]
            # Some tens of pages are copied before and after the loop.
            assert abs(process["copied_bytes"] - want) <= 0.01 * want + 100 * 4096, process


def test_the_kernel_counted_the_same(preload: Run) -> None:
    capture = preload.report["capture"]
    assert capture["lost"] == 0
    assert abs(as_the_kernel_counts(preload.report) - capture["kernel_copies"]) <= 0.005 * capture["kernel_copies"], capture


def test_the_master_is_not_blamed(preload: Run) -> None:
    """Its private memory grows as the workers copy; it copied nothing."""
    master = next(p for p in preload.report["processes"] if p["pid"] == preload.truth[0]["master"])
    # Some hundred pages of the program's and its libraries' files, at its start.
    assert master["copies"] < 1000, master


def test_ledger_of_the_workers(preload: Run) -> None:
    shared = preload.truth[0]["anonymous"]
    grown = {row["pid"] for row in preload.truth if "grown" in row}
    for process in preload.report["processes"]:
        if process["pid"] not in grown:
            continue
        assert abs(process["shared_at_fork_bytes"] - shared) <= 0.02 * shared, process
        left = process["shared_at_fork_bytes"] - process["copied_bytes"]
        assert abs(process["shared_now_bytes"] - left) <= 0.02 * shared, process
        assert process["new_bytes"] <= 0.05 * shared, process


def test_top_site_is_the_loop(preload: Run) -> None:
    top = max(preload.report["sites"], key=lambda s: s["copies"])
    assert top["file"].endswith("preload.py")
    assert top["function"] == "BigApp.total"
    assert (top["cause"], top["type"]) == ("refcount", "int")
    grown = sum(row["grown"] for row in preload.truth if "grown" in row)
    assert abs(top["copied_bytes"] - grown) <= 0.01 * grown


def test_little_is_unknown(preload: Run) -> None:
    unknown = sum(r["copies"] for r in preload.report["causes"] if r["cause"] == "unknown")
    assert unknown <= 0.03 * preload.report["capture"]["copies"]


def test_advice_names_the_list(preload: Run) -> None:
    advice = preload.report["advice"]
    assert advice, "no advice for the article's case"
    assert any("int" in a["text"] and a["bytes_per_process_upper_bound"] > 0 for a in advice)


def test_nothing_shared_is_said_in_one_line() -> None:
    run = run_cowtrace([], ["true"])
    assert "nothing was shared" in run.stderr.lower(), run.stderr
    # Besides it, only what this machine can not see.
    said = run.stderr.partition("Not seen by the witness")[0]
    assert len([line for line in said.splitlines() if line.strip()]) <= 8, run.stderr
