# SPDX-License-Identifier: MIT
"""Compares what a guest left with what had to come."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import cases
from cases import Case
from checks import Bound, Check, Got, Result, Run, cases_of, objects
from expected import Kernel, Verified, skip_of, verifier_limit

# What the kernel says when something is wrong with it. lockdep, KASAN and their like begin with these, too.
SPLATS = re.compile(
    r"WARNING:|BUG:|\bOops\b|general protection|divide error|invalid opcode|stack segment|double fault|"
    r"kernel NULL pointer|unable to handle|Kernel panic|Call Trace:|cut here|rcu.*(stall|detected)|"
    r"soft lockup|hard LOCKUP|blocked for more than|possible (circular|recursive) locking|suspicious RCU|"
    r"scheduling while atomic|sleeping function called|UBSAN|KASAN|list_(add|del) corruption|"
    r"refcount_t:|Bad page|Bad rss-counter|non-zero pgtables|segfault|trap |Out of memory|oom-kill", re.IGNORECASE)
# Of the emulated machine, now and then, before there is a process.
HARMLESS = "MP-BIOS bug: 8254 timer"


def tolerate(got: Got, check: Check) -> Check:
    """Programs that the kernel skipped may each have missed one copy, and cowtrace said how many."""
    numbers = isinstance(check.expected, int) and isinstance(check.measured, int)
    if check.ok or not numbers or not got.run.skipped:
        return check
    if abs(check.expected - check.measured) > got.run.skipped:
        return check
    return Check(f"{check.what} (of which {got.run.skipped} may be missed, as it says)", check.measured, check.measured,
                 truth=check.expected)


def judge_case(case: Case, got: Got | None, result: Result, run: Run) -> Result:
    if not run.report:
        result.problem = f"no report: {run.explain()}"
    elif not got:
        result.problem = "the case did not run, or did not end"
    elif got.skip:
        result.skip = skip_of(result.kernel, result.witness, case.name)
        result.problem = "" if result.skip else f"skipped, and skips.txt does not say so: {got.skip}"
    else:
        listed = skip_of(result.kernel, result.witness, case.name)
        result.checks = [tolerate(got, c) for c in (cases.unseen if listed else cases.checks)(case, got)]
    return result


def blind_for(witness: str, batch: str) -> int:
    return sum(w.copies for case in cases.CASES if case.batch == batch for w in case.writes if witness in w.blind)


def closure(run: Run, kernel: Kernel, witness: str, batch: str) -> Result:
    """All that was copied, with what no case knows of: libc's data, the stacks, Python's start."""
    result = Result(kernel.name, witness, f"all of {batch}")
    if not run.report:
        result.problem = f"no report: {run.explain()}"
        return result
    capture = run.report["capture"]
    result.checks = [Check("status", "0", run.status), Check("witness", witness, capture["witness"]),
                     Check("lost", Bound(0, 10 * run.skipped, "as it says") if run.skipped else 0, capture["lost"])]
    # A program that was skipped at the end of a process has not read the kernel's count either.
    if batch in cases.CLOSED and not run.skipped:
        counted, less = capture["kernel_copies"], blind_for(witness, batch)
        if kernel.name == "5.10":  # taskstats has no wpcopy there
            result.checks.append(Check("the kernel does not count", None, counted))
            return result
        mine = capture["copies"] - capture["uncounted_by_kernel"]
        check = Check("copies, as the kernel counts", "a count" if counted is None else counted - less, mine,
                      truth=counted if less else None)
        result.checks.append(tolerate(Got(run, kernel.name, witness, [], {"status": 0, "pid": 0}), check))
    return result


def judge_batch(out: Path, kernel: Kernel, witness: str, batch: str) -> Iterator[Result]:
    run = Run(out, f"{witness}.{batch}")
    found = cases_of(run, kernel.name, witness)
    for case in cases.CASES:
        if case.batch == batch and case.is_for(kernel.name):
            yield judge_case(case, found.get(case.name), Result(kernel.name, witness, case.name), run)
    yield closure(run, kernel, witness, batch)


def killed(out: Path, kernel: Kernel, witness: str, kills: int) -> Result:
    run = Run(out, f"{witness}.killed")
    return Result(kernel.name, witness, "started and killed",
                  [Check("status", "0", run.status), Check("said", f"{kills} killed", run.text("stdout").strip())])


def chosen(out: Path, kernel: Kernel) -> Result:
    run = Run(out, "auto")
    result = Result(kernel.name, "auto", "the witness that is chosen")
    if run.report:
        result.checks = [Check("witness", kernel.chosen, run.report["capture"]["witness"])]
    else:
        result.problem = f"no report: {run.explain()}"
    return result


def reads(out: Path, kernel: Kernel) -> Result:
    run = Run(out, "reads")
    way = "map" if "memory is read by way of the kernel's own map of it" in run.stderr else "helper"
    return Result(kernel.name, "auto", "how memory is read",
                  [Check("status", "0", run.status), Check("by", kernel.reads, way)])


def checked(out: Path, kernel: Kernel) -> Result:
    """`cowtrace check` says that it works here, and by the witness that a run uses."""
    run = Run(out, "check")
    result = Result(kernel.name, "all", "cowtrace check", [Check("status", "0", run.status)])
    try:
        facts = json.loads(run.text("stdout"))
    except json.JSONDecodeError:
        result.problem = f"no JSON: {run.explain()}"
        return result
    result.checks.append(Check("witness", kernel.chosen, facts["witness"]))
    for witness in facts["witnesses"]:
        works = not skip_of(kernel.name, witness["name"], "*")
        result.checks.append(Check(f"{witness['name']} works", works, witness["works"]))
    return result


def leaks(out: Path, kernel: Kernel) -> Result:
    """After all runs, and those that were killed, the kernel holds what it held before."""
    run = Run(out, "leaks")
    before = (out / "ids").read_text().strip() if (out / "ids").exists() else ""
    probes = (out / "kprobes").read_text().splitlines() if (out / "kprobes").exists() else ["not asked"]
    return Result(kernel.name, "all", "leaks",
                  [Check("status", "0", run.status), Check("held", before or "a line", run.text("stdout").strip()),
                   Check("probes left in tracefs", [], probes)])


def log(out: Path, kernel: Kernel) -> Result:
    path = out / "dmesg"
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    splats = [x for x in lines if SPLATS.search(x) and HARMLESS not in x]
    return Result(kernel.name, "all", "kernel log",
                  [Check("a log", True, bool(lines)), Check("complaints of the kernel", [], splats[:5])])


def verified(run: Run, kernel: Kernel, witness: str) -> Result:
    """How much the verifier has to do for each program: a regression that no clock has to show."""
    result = Result(kernel.name, witness, "verified instructions")
    for (_, _, name), n in verified_rows(run, kernel, witness).items():
        limit = Bound(1, verifier_limit(kernel.name, witness, name), "verifier.txt, verified.txt")
        result.checks.append(Check(name, limit, n))
    return result


def all_verified(cache: Path, kernels: list[Kernel]) -> Verified:
    """Of what the guests have left."""
    found: Verified = {}
    for kernel in kernels:
        for witness in cases.WITNESSES:
            for batch in cases.BATCHES:
                found.update(verified_rows(Run(cache / kernel.name / "out", f"{witness}.{batch}"), kernel, witness))
    return found


def verified_rows(run: Run, kernel: Kernel, witness: str) -> Verified:
    return {(kernel.name, witness, row["program"]): row["verified"] or row["length"]
            for row in objects(run.text("stdout")) if "program" in row}


def judge_witness(out: Path, kernel: Kernel, witness: str, kills: int) -> Iterator[Result]:
    first = Run(out, f"{witness}.{cases.BATCHES[0]}")
    listed = skip_of(kernel.name, witness, "*")
    if listed or not first.report:
        result = Result(kernel.name, witness, "can be used", skip=listed)
        if first.report:
            result.problem = f"can be used, though skips.txt says: {listed}"
        elif not listed or not first.status:
            result.problem = f"no report: {first.explain()}"
        yield result
        return
    for batch in cases.BATCHES:
        yield from judge_batch(out, kernel, witness, batch)
    yield verified(first, kernel, witness)
    yield killed(out, kernel, witness, kills)


def judge(out: Path, kernel: Kernel, kills: int) -> Iterator[Result]:
    yield chosen(out, kernel)
    yield reads(out, kernel)
    for witness in cases.WITNESSES:
        yield from judge_witness(out, kernel, witness, kills)
    yield checked(out, kernel)
    yield leaks(out, kernel)
    yield log(out, kernel)
