#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks reports written with --json against the contract of the JSON: keys, their types, their order,
and that the parts add up. Usage: check_json.py FILE..."""

import json
import sys

STR, INT, NUM, OBJ, LIST, BOOL = (str,), (int,), (int, float), (dict,), (list,), (bool,)
NONE = (type(None),)

TOP = {"schema": INT, "version": STR, "host": OBJ, "capture": OBJ, "processes": LIST, "causes": LIST,
       "types": LIST, "sites": LIST, "advice": LIST}
HOST = {"kernel": STR, "machine": STR, "page_size": INT}
CAPTURE = {"witness": STR, "seconds": NUM, "copies": INT, "copied_bytes": INT, "reuses": INT,
           "lost": INT, "lost_by_reason": OBJ, "proven": INT, "kernel_copies": INT + NONE}
ROWS = {
    "processes": {"pid": INT, "ppid": INT, "command": STR, "python": STR + NONE, "copies": INT,
                  "copied_bytes": INT, "shared_at_fork_bytes": INT + NONE,
                  "shared_now_bytes": INT + NONE, "new_bytes": INT + NONE},
    "causes": {"cause": STR, "detail": STR, "origin": STR, "certainty": STR, "copies": INT,
               "copied_bytes": INT},
    "types": {"type": STR, "cause": STR, "copies": INT, "copied_bytes": INT},
    "sites": {"file": STR + NONE, "line": INT, "function": STR, "cause": STR, "type": STR + NONE,
              "copies": INT, "copied_bytes": INT},
    "advice": {"rule": STR, "text": STR, "bytes_per_process_upper_bound": INT},
}
CAUSES = {"refcount", "gc-header", "inline-cache", "lazy-cache", "mutation", "allocator", "native-data",
          "stack", "buffer", "kernel-write", "unknown"}
ORIGINS = {"fork", "file", "zero", "ksm"}
CERTAINTIES = {"proven", "likely", "none"}


def check_object(where, value, keys):
    """The keys of the contract come first and in its order; more may follow."""
    assert list(value)[:len(keys)] == list(keys), f"{where}: keys {list(value)}"
    for key, types in keys.items():
        assert type(value[key]) in types, f"{where}.{key}: {value[key]!r}"


def check_sums(report):
    copies, page = report["capture"]["copies"], report["host"]["page_size"]
    for table in ("causes", "sites", "processes", "details"):
        total = sum(row["copies"] for row in report[table])
        assert total == copies, f"{table}: {total} copies of {copies}"
    capture = report["capture"]
    total_bytes = capture["copied_bytes"]
    assert total_bytes == sum(size["copies"] * size["bytes"] for size in report["page_sizes"])
    huge = any(size["bytes"] != page for size in report["page_sizes"])
    for table in ("causes", "types", "sites", "processes", "details"):
        for row in report[table]:
            least = row["copies"] * page
            assert row["copied_bytes"] == least or huge and row["copied_bytes"] > least, f"{table}: {row}"
        if table != "types":
            assert sum(row["copied_bytes"] for row in report[table]) == total_bytes, table
    assert capture["uncounted_by_kernel"] <= copies
    assert capture["proven"] == sum(row["copies"] for row in report["causes"]
                                    if row["certainty"] == "proven")
    assert capture["lost"] == sum(capture["lost_by_reason"].values())


SIDE = {"older_copies": INT, "older_copied_bytes": INT, "older_bytes_per_worker": INT,
        "newer_copies": INT, "newer_copied_bytes": INT, "newer_bytes_per_worker": INT,
        "change_bytes_per_worker": INT, "state": STR, "significant": BOOL}
BASELINE = {"file": STR, "version": STR, "host": OBJ, "capture": OBJ, "older_workers": INT,
            "newer_workers": INT, "changed": BOOL, "sentence": STR, "remarks": LIST, "total": OBJ,
            "causes": LIST, "types": LIST, "sites": LIST, "processes": LIST,
            "older_worker": STR + NONE, "newer_worker": STR + NONE}
BASELINE_ROWS = {
    "causes": {"cause": STR},
    "types": {"type": STR, "cause": STR},
    "sites": {"file": STR + NONE, "line": INT, "function": STR, "cause": STR, "type": STR + NONE,
              "older_file": STR + NONE, "older_line": INT + NONE, "source": STR + NONE},
    "processes": {"command": STR, "workers": BOOL, "older_processes": INT, "newer_processes": INT},
}
STATES = {"same", "more", "less", "appeared", "gone"}


def check_change(where, row, baseline):
    older, newer = row["older_bytes_per_worker"], row["newer_bytes_per_worker"]
    for side, value in ("older", older), ("newer", newer):
        exact = row[f"{side}_copied_bytes"] / max(1, baseline[f"{side}_workers"])
        assert abs(value - exact) <= 0.5, f"{where}: {side} {value}, not {exact}"
    assert row["change_bytes_per_worker"] == newer - older, where
    assert row["state"] in STATES, where
    assert (row["state"] == "same") == (older == newer or abs(newer - older) < 0.01 * max(older, newer)), where
    assert (row["state"] == "gone") <= (newer == 0) and (row["state"] == "appeared") <= (older == 0), where
    assert not (row["significant"] and row["state"] == "same"), where


def check_baseline(report):
    baseline = report["baseline"]
    check_object("baseline", baseline, BASELINE)
    check_object("baseline.host", baseline["host"], HOST)
    check_object("baseline.capture", baseline["capture"], CAPTURE)
    check_object("baseline.total", baseline["total"], SIDE)
    check_change("baseline.total", baseline["total"], baseline)
    for remark in baseline["remarks"]:
        check_object("baseline.remarks", remark, {"unfair": BOOL, "text": STR})
    for table, keys in BASELINE_ROWS.items():
        for i, row in enumerate(baseline[table]):
            check_object(f"baseline.{table}[{i}]", row, keys | SIDE)
            check_change(f"baseline.{table}[{i}]", row, baseline)
        changes = [abs(row["change_bytes_per_worker"]) for row in baseline[table]]
        assert changes == sorted(changes, reverse=True), f"baseline.{table} is not sorted"
        if table == "types":
            continue
        for side, run in ("older", baseline), ("newer", report):
            for key in "copies", "copied_bytes":
                total = sum(row[f"{side}_{key}"] for row in baseline[table])
                assert total == run["capture"][key], f"baseline.{table}: {side} {key} {total}"
    for side in "older", "newer":
        workers = sum(row[f"{side}_processes"] for row in baseline["processes"]
                      if row["workers"] and row["command"] == baseline[f"{side}_worker"])
        assert workers == baseline[f"{side}_workers"]


def check(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    check_object("report", report, TOP)
    assert report["schema"] == 1
    check_object("host", report["host"], HOST)
    check_object("capture", report["capture"], CAPTURE)
    for table, keys in ROWS.items():
        for i, row in enumerate(report[table]):
            check_object(f"{table}[{i}]", row, keys)
    for row in report["causes"]:
        assert row["cause"] in CAUSES and row["origin"] in ORIGINS, row
        assert row["certainty"] in CERTAINTIES, row
    check_sums(report)
    if "baseline" in report:
        check_baseline(report)


def main():
    failed = 0
    for path in sys.argv[1:]:
        try:
            check(path)
        except (AssertionError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            failed = 1
    return failed


sys.exit(main())
