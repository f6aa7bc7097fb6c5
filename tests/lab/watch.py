# SPDX-License-Identifier: MIT
"""Looks at the memory of processes, as the kernel accounts for it."""
from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Memory:
    """In bytes. Private: of this process alone, as it is now. PSS: each shared page divided among those that map it."""

    pss: int
    private: int


def read(pid: int) -> Memory | None:
    """None: it is gone."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    sizes = {row.split(":")[0]: int(row.split()[1]) << 10 for row in rows[1:]}
    if not sizes:
        return None
    return Memory(sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def family(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(below for child in children(pid) for below in family(child))]


class Watch:
    """The memory of a family over time: rows of seconds, pid, PSS, private."""

    def __init__(self, root: int, every: float) -> None:
        self.root, self.every = root, every
        self.rows: list[tuple[float, int, int, int]] = []
        self.start = time.monotonic()
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        while not self.over.wait(self.every):
            self.look()

    def look(self) -> None:
        now = time.monotonic() - self.start
        for pid in family(self.root):
            memory = read(pid)
            if memory:
                self.rows.append((round(now, 3), pid, memory.pss, memory.private))

    def __enter__(self) -> Watch:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()
