# SPDX-License-Identifier: MIT
"""Lists beside the code: the kernels, what can not be there (skips.txt), how much the verifier may have to do.
Those of another machine are in a directory of its name."""
from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARM64 = os.environ.get("ARCH") == "aarch64"
LISTS = HERE / "aarch64" if ARM64 else HERE


def rows(name: str, columns: int) -> list[list[str]]:
    """The lines of a list; the last column may hold spaces, and may be missing."""
    place = LISTS / name if (LISTS / name).exists() else HERE / name
    lines = (line.partition("#")[0].strip() for line in place.read_text().splitlines())
    return [line.split(maxsplit=columns - 1) for line in lines if line]


@dataclass
class Kernel:
    """A line of kernels.txt. chosen: the witness that cowtrace has to choose by itself. reads: by "map" or "helper"."""

    name: str
    suite: str
    chosen: str
    reads: str
    cpu: str
    append: str = ""


def kernels() -> list[Kernel]:
    return [Kernel(*words) for words in rows("kernels.txt", 6)]


def skip_of(kernel: str, witness: str, case: str) -> str:
    """Why it can not be there; empty: it must work."""
    for listed_kernel, listed_witness, listed_case, why in rows("skips.txt", 4):
        if listed_kernel in ("*", kernel) and listed_witness in ("*", witness) and listed_case == case:
            return why
    return ""


def verifier_limits() -> dict[str, int]:
    return {name: int(limit) for name, limit in rows("verifier.txt", 2)}


# What the verifier went through when it was last written down: by kernel, witness, program.
Verified = dict[tuple[str, str, str], int]
GROWTH, SLACK = 0.10, 100  # small programs grow by a tenth with each line
VERIFIED_HEAD = """\
# Instructions that the verifier goes through for each program (before 5.16: their length), as last written down. A tenth
# more is a failure; if it is wanted: `sudo tests/vm/verifier --update` for the kernel of this machine, `tests/vm/run --record`
# for what the guests of the last `make vm` left.
# kernel      witness       program          instructions
"""


def verified() -> Verified:
    if not (LISTS / "verified.txt").exists():  # nothing of this machine
        return {}
    return {(kernel, witness, program): int(n) for kernel, witness, program, n in rows("verified.txt", 4)}


def write_verified(found: Verified) -> None:
    known = {**{k: n for k, n in verified().items() if k[:2] not in {f[:2] for f in found}}, **found}
    lines = (f"{k:13} {w:13} {p:16} {n}\n" for (k, w, p), n in sorted(known.items()))
    (LISTS / "verified.txt").write_text(VERIFIED_HEAD + "".join(lines))


def verifier_limit(kernel: str, witness: str, program: str) -> int:
    """The most that it may be: verifier.txt for any kernel, and what was written down for this one."""
    limits = verifier_limits()
    most = limits.get(program, limits["*"])
    was = verified().get((kernel, witness, program))
    return most if was is None else min(most, round(was * (1 + GROWTH)) + SLACK)
