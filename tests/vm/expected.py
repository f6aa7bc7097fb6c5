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
    """A line of kernels.txt. chosen: the witness that cowtrace has to choose by itself."""

    name: str
    suite: str
    chosen: str
    cpu: str
    append: str = ""


def kernels() -> list[Kernel]:
    return [Kernel(*words) for words in rows("kernels.txt", 5)]


def skip_of(kernel: str, witness: str, case: str) -> str:
    """Why it can not be there; empty: it must work."""
    for listed_kernel, listed_witness, listed_case, why in rows("skips.txt", 4):
        if listed_kernel in ("*", kernel) and listed_witness in ("*", witness) and listed_case == case:
            return why
    return ""


def verifier_limits() -> dict[str, int]:
    return {name: int(limit) for name, limit in rows("verifier.txt", 2)}
