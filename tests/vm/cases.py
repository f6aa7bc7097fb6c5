#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The cases of tests/vm/run. `cases.py list WITNESSES` prints what the guest runs, `cases.py judge KERNEL
WITNESSES OUT` what came of it: one line per number, `kernel witness case expected measured ok|FAIL`; status 1 if
one is wrong. WITNESSES: names with commas, the one first that cowtrace has to choose by itself."""
from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import cow  # noqa: E402

Report = dict[str, Any]
PYTHON = "/usr/bin/python3.11"
REFCOUNTS = {"bytes": 23, "str": 19, "int": 17, "tuple": 13, "Payload": 11}


class Got:
    """What one run left."""

    def __init__(self, out: Path, kernel: str, witness: str, name: str):
        self.out, self.base, self.kernel, self.witness = out, f"{out}/{witness}.{name}", kernel, witness
        self.status = self.text("status").strip()
        self.error = self.text("stderr").strip()
        # Copies that it says it may have missed: programs that the kernel skipped (preemption, from 7.0 on).
        found = re.search(r"skipped them (\d+) times", self.error)
        self.skipped = int(found[1]) if found else 0
        try:
            self.report: Report = json.loads(self.text("json"))
        except json.JSONDecodeError:
            self.report = {}
        self.truth = [json.loads(x) for x in self.text("stdout").splitlines() if x.startswith("{")]

    def text(self, what: str) -> str:
        path = Path(f"{self.base}.{what}")
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def symbol(self, name: str, **want: Any) -> int:
        return cow.in_symbol(self.report, name, **want)

    def cause(self, **want: Any) -> int:
        return cow.total(self.report["causes"], **want)

    def line(self, path: str, mark: str, **want: Any) -> int:
        return cow.at_line(self.report, cow.target(path), mark, **want)

    def changed(self) -> Any:
        return self.truth[0]["changed"] if self.truth else None


# what, expected, measured. A difference of two expected numbers is never allowed for.
Check = tuple[str, Any, Any]
Checks = Callable[[Got], Iterator[Check]]


def closed(got: Got) -> Iterator[Check]:
    capture = got.report["capture"]
    yield "kernel", capture["kernel_copies"], capture["copies"]
    yield "lost", 0, capture["lost"]


def counted(symbol: str, n: int, **want: Any) -> Checks:
    def checks(got: Got) -> Iterator[Check]:
        yield "truth", n, got.changed()
        yield symbol, n, got.symbol(symbol, **want)
        yield from closed(got)

    return checks


def reuse(got: Got) -> Iterator[Check]:
    without = Got(got.out, got.kernel, got.witness, "reuse-0").report
    yield "truth", 0, got.changed()
    yield "reuse_write", 0, got.symbol("reuse_write")
    # Whether the page of the stack that fork() returns to is copied or reused is a race with the child's end.
    more, less = ({k: r["capture"][k] for k in ("reuses", "copies")} for r in (got.report, without))
    yield "reuses and copies more than reuse-0", 29, sum(more.values()) - sum(less.values())
    yield from closed(got)


def gup(got: Got) -> Iterator[Check]:
    """Writes of the kernel to pages that it looked up: no fault that a tracepoint would show."""
    seen = got.witness != "tracepoints"
    capture = got.report["capture"]
    yield "truth", [31, 13], [t["changed"] for t in got.truth]
    yield "process_vm_writev (kernel)", 31 * seen, got.symbol("process_vm_writev (kernel)", cause="kernel-write")
    yield "pwrite64 (kernel)", 13 * seen, got.symbol("pwrite64 (kernel)", cause="kernel-write")
    yield "kernel - copies", 44 * (not seen), capture["kernel_copies"] - capture["copies"]


def race(got: Got) -> Iterator[Check]:
    capture = got.report["capture"]
    yield "truth", 4999, got.changed()
    if got.witness == "wp_page_copy":  # counts calls, the losers' too
        yield "race_write>=4999", True, got.symbol("race_write") >= 4999
        yield "says so", True, "threads race" in (capture["witness_note"] or "")
        return
    yield "race_write", 4999, got.symbol("race_write")
    yield "lost", 0, capture["lost"]
    # Not compared with the kernel's count: it has the losers too, and with two emulated CPUs at work some of
    # its times come out as nothing, which it does not count at all.


def origin(symbol: str, n: int, name: str) -> Checks:
    def checks(got: Got) -> Iterator[Check]:
        yield from counted(symbol, n)(got)
        # Before 6.2 each task keeps its counts of pages back (SPLIT_RSS_COUNTING): kmem:rss_stat is late.
        if (got.kernel, got.witness, name) != ("6.1", "tracepoints", "file"):
            yield f"origin {name}>={n}", True, got.cause(origin=name) >= n

    return checks


def vfork(got: Got) -> Iterator[Check]:
    yield "truth", 12, got.changed()
    yield "vfork_child", 5, got.symbol("vfork_child")
    yield "vfork_parent", 7, got.symbol("vfork_parent")
    yield from closed(got)


def exec_(got: Got) -> Iterator[Check]:
    yield "exec_before", 11, got.symbol("exec_before")
    yield "exec_after", 17, got.symbol("exec_after")
    yield from closed(got)


def manyforks(got: Got) -> Iterator[Check]:
    yield "manyforks_write", 600, got.symbol("manyforks_write")
    yield "processes", 201, len(got.report["processes"])
    yield from closed(got)


def data(got: Got) -> Iterator[Check]:
    yield "data_write", 43, got.symbol("data_write", cause="native-data")
    yield "bss_write", 47, got.symbol("bss_write", cause="native-data")
    yield from closed(got)


def kernelwrite(got: Got) -> Iterator[Check]:
    yield "truth", 31, got.changed()
    yield "read (kernel)", 31, got.symbol("read (kernel)", cause="kernel-write")
    yield from closed(got)


def refcount(got: Got) -> Iterator[Check]:
    yield "truth", {**REFCOUNTS, "dec": 29}, got.changed()
    for kind, n in REFCOUNTS.items():
        yield f"{kind} inc", n, got.line("refcount23.py", kind, cause="refcount", type=kind)
    yield "bytes dec", 29, got.line("refcount23.py", "dec", cause="refcount", type="bytes")
    yield "proven inc>=83", True, got.cause(cause="refcount", detail="inc", certainty="proven") >= 83
    yield "proven dec>=29", True, got.cause(cause="refcount", detail="dec", certainty="proven") >= 29
    yield from closed(got)


def preload(got: Got) -> Iterator[Check]:
    top = max(got.report["sites"], key=lambda s: s["copies"])
    yield "top site", ("int", "refcount", "BigApp.total"), (top["type"], top["cause"], top["function"])
    copies, proven = got.report["capture"]["copies"], got.report["capture"]["proven"]
    yield "proven>=95%", True, proven >= 0.95 * copies
    yield from closed(got)


CASES: dict[str, tuple[str, Checks]] = {
    "storm": ("storm 10007", counted("storm_write", 10007)),
    "reuse": ("reuse 29", reuse),
    "reuse-0": ("reuse 0", closed),
    "race": ("race 4999", race),
    "kernelwrite": ("kernelwrite 31", kernelwrite),
    "gup": ("gup", gup),
    "zero": ("zero 41", origin("zero_write", 41, "zero")),
    "filemap": ("filemap 37", origin("filemap_write", 37, "file")),
    "vfork": ("vfork", vfork),
    "exec": ("exec", exec_),
    "manyforks": ("manyforks 200 5", manyforks),
    "stack": ("stack main", counted("stack_write", 19, cause="stack")),
    "stack-thread": ("stack thread", counted("stack_write", 19, cause="stack")),
    "data": ("data", data),
    "refcount23": ("refcount23.py", refcount),
    "preload": ("preload.py 100000", preload),
}


def command(words: str) -> str:
    program, _, rest = words.partition(" ")
    start = f"{PYTHON} /guest/py/{program}" if program.endswith(".py") else f"/guest/targets/{program}"
    return f"{start} {rest}".strip()


def checks_of(check: Checks, got: Got) -> Iterator[Check]:
    yield "status", "0", got.status
    if got.report:
        yield from check(got)
    else:
        yield "report", "one", got.error.splitlines()[:1]


def runs(witnesses: list[str]) -> Iterator[tuple[str, str, str, Checks]]:
    """witness, case, command, checks; "auto": the one that cowtrace chooses."""

    def chosen(got: Got) -> Iterator[Check]:
        yield "witness", witnesses[0], got.report["capture"]["witness"]

    yield "auto", "true", "/bin/true", chosen
    for name, (words, check) in CASES.items():
        for witness in witnesses:
            yield witness, name, command(words), check


def judge(kernel: str, witnesses: list[str], out: Path) -> bool:
    fine = True
    for witness, name, _, check in runs(witnesses):
        got = Got(out, kernel, witness, name)
        for what, expected, measured in checks_of(check, got):
            ok = expected == measured
            if not ok and got.skipped and isinstance(measured, int):
                ok = abs(expected - measured) <= got.skipped
                measured = f"{measured} (and says that {got.skipped} were skipped)"
            fine &= ok
            print(f"{kernel}\t{witness}\t{name}: {what}\t{expected}\t{measured}\t{'ok' if ok else 'FAIL'}")
    return fine


def main() -> int:
    if sys.argv[1] == "list":
        for witness, name, words, _ in runs(sys.argv[2].split(",")):
            print(f"{witness}\t{name}\t{words}")
        return 0
    _, _, kernel, witnesses, out = sys.argv
    return 0 if judge(kernel, witnesses.split(","), Path(out)) else 1


if __name__ == "__main__":
    sys.exit(main())
