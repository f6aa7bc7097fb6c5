#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks reports written with --json against the contract of the JSON: keys, their types, their order,
and that the parts add up. Usage: check_json.py FILE..."""

import json
import sys

STR, INT, NUM, OBJ, LIST = (str,), (int,), (int, float), (dict,), (list,)
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
