# SPDX-License-Identifier: MIT
"""Results as TAP, and side by side for people."""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checks import Bound, Check, Result


def tap(results: Iterable[Result]) -> bool:
    """False: something failed."""
    number, fine = 0, True
    for number, result in enumerate(results, 1):
        fine &= result.ok
        # A skip that is not listed there has failed already.
        listed = "" if result.skip.startswith("fetch-kernel") else "tests/vm/skips.txt: "
        skip = f" # SKIP {listed}{result.skip}" if result.ok and result.skip else ""
        print(f"{'ok' if result.ok else 'not ok'} {number} - {result.name}{skip}")
        for line in result.wrong or ([] if result.ok else ["nothing was checked"]):
            print(f"# {line}")
    print(f"1..{number}", flush=True)
    return fine


def cell(check: Check | None, result: Result | None) -> str:
    if result and result.skip:
        return "skipped"
    if check is None:
        return "FAILED" if result and result.problem else "-"
    if not check.ok:
        return f"{check.measured} WRONG"
    if not isinstance(check.measured, int):
        return "as expected"
    if check.truth is not None:
        return f"{check.measured} of {check.truth}"
    return str(check.measured)


def short(value: Any) -> str:
    if isinstance(value, Bound):
        return f"{value.low}-{value.high}"
    return str(value) if len(str(value)) < 20 else "..."


def rows_of(case: str, results: dict[str, Result], witnesses: list[str]) -> list[tuple[str, ...]]:
    """The numbers of one case; what belongs to all witnesses alike (a status) only if it is wrong."""
    names = dict.fromkeys(c.what for r in results.values() for c in r.checks)
    rows = []
    for what in names:
        by = {w: next((c for c in results[w].checks if c.what == what), None) for w in witnesses if w in results}
        known = [c for c in by.values() if c]
        if what in ("status", "witness", "lost", "said") and all(c.ok for c in known):
            continue
        expected = next((c.truth if c.truth is not None else c.expected) for c in known)
        rows.append((case, what, short(expected), *(cell(by.get(w), results.get(w)) for w in witnesses)))
    if not rows:
        rows.append((case, "", "", *(("fine" if results[w].ok and not results[w].skip else cell(None, results[w]))
                                     if w in results else "-" for w in witnesses)))
    return rows


def table(title: str, results: list[Result]) -> None:
    witnesses = list(dict.fromkeys(r.witness for r in results))
    titles = [w for w in witnesses if w not in ("auto", "all")]
    lines: list[tuple[str, ...]] = [("case", "what", "expected", *titles)]
    for case in dict.fromkeys(r.case for r in results):
        by = {r.witness: r for r in results if r.case == case}
        if set(by) <= {"auto", "all"}:
            one = next(iter(by.values()))
            lines.append((case, "", "", *(["fine" if one.ok else "WRONG"] + [""] * (len(titles) - 1))))
        else:
            lines += rows_of(case, by, titles)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    print(f"\n== kernel {title}")
    last = ""
    for line in lines:
        first = line[0] if line[0] != last else ""
        last = line[0]
        print("  ".join(text.ljust(width) for text, width in zip((first, *line[1:]), widths)).rstrip())
    for result in results:
        for wrong in result.wrong:
            print(f"WRONG  {result.name}: {wrong}")
        if result.skip:
            print(f"skipped  {result.name}: {result.skip}")
