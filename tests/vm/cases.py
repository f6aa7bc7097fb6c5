# SPDX-License-Identifier: MIT
"""The cases: what runs in the guest, and how many copies it makes at which function. The number of pages is a prime,
and what the target itself saw in /proc/PID/pagemap has to be the same."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import image
from checks import Bound, Check, Got

PYTHON = str(image.python())
REFCOUNTS = {"bytes": 23, "str": 19, "int": 17, "tuple": 13, "Payload": 11}
CPUS = 2
WITNESSES = ("fexit", "kprobe", "tracepoints", "wp_page_copy")


@dataclass(frozen=True)
class Writes:
    """So many copies where `function` writes; none of them by the blind witnesses."""

    function: str
    copies: int
    cause: str | None = None
    origin: str | None = None
    blind: tuple[str, ...] = ()
    raced: bool = False
    pages: int = 1  # of 4 KiB, that one copy copies


@dataclass(frozen=True)
class Case:
    name: str
    command: str
    writes: tuple[Writes, ...] = ()
    changed: Any = None  # the sum of the writes, if not said
    reused: int = 0
    alone: bool = False  # pages that nobody else maps any more
    more: Callable[[Got], Iterator[Check]] | None = None
    batch: str = "closed"
    since: str = ""  # where kernels differ: several cases of one name
    until: str = ""
    noun: str = ""  # how the report calls it where a witness does not see it

    def line(self) -> str:
        program, _, rest = self.command.partition(" ")
        if program.endswith(".py"):
            program = f"{PYTHON} /guest/py/{program}"
        elif not program.startswith("/"):
            program = f"/guest/targets/{program}"
        return f"{self.name}\t{program} {rest}".strip() + "\n"

    def truth(self) -> Any:
        return sum(w.copies * w.pages for w in self.writes) if self.changed is None else self.changed

    def is_for(self, kernel: str) -> bool:
        return (not self.since or version(self.since) <= version(kernel)) and (
            not self.until or version(kernel) <= version(self.until))


def version(name: str) -> tuple[int, ...]:
    """7.x: the newest."""
    return tuple(int(x) if x.isdigit() else 999 for x in name.split("."))


def spare(got: Got) -> int:
    """A page is copied, though nobody else maps it, while a list of some CPU still holds a reference to it: those
    of pages that are new (lru_add_drain() empties only its own CPU's). So many fit in: 15, since 6.9 31."""
    return CPUS * (15 if got.kernel in ("5.10", "6.1") else 31)


def truth_of(case: Case, got: Got) -> Iterator[Check]:
    expected = case.truth()
    if expected is False:
        return
    if case.alone:
        expected = Bound(expected, expected + spare(got), "the kernel copies pages that another CPU's list holds")
    yield Check("pages with another frame", expected, got.changed)


def seen(case: Case, writes: Writes, got: Got) -> Iterator[Check]:
    expected = got.changed if case.alone else writes.copies
    blind = got.witness in writes.blind
    if writes.raced and got.witness == "wp_page_copy":
        expected = Bound(expected, 2 * expected, "wp_page_copy is called by the losers of a race, too")
        yield Check("says so", True, "race" in (got.report["capture"]["witness_note"] or ""))
    yield Check(f"copies in {writes.function}", 0 if blind else expected, got.writes(writes.function, writes.cause) // writes.pages,
                truth=expected if blind else None)
    if writes.origin and not blind:
        # Of all cases with this function: of one only.
        measured = got.details(function=writes.function, origin=writes.origin)
        # Before 6.2 each task keeps its counts of pages back (SPLIT_RSS_COUNTING): kmem:rss_stat is late.
        late = got.kernel in ("5.10", "6.1") and got.witness == "tracepoints" and writes.origin == "file"
        yield Check(f"origin {writes.origin}", Bound(0, expected, "kmem:rss_stat is late before 6.2") if late
                    else expected, measured)


def unseen(case: Case, got: Got) -> Iterator[Check]:
    """Listed in skips.txt, though the target could run: no witness sees it there, and the report says so."""
    yield Check("status", 0, got.status)
    yield from truth_of(case, got)
    for writes in case.writes:
        yield Check(f"copies in {writes.function}", 0, got.writes(writes.function, writes.cause), truth=writes.copies)
    yield Check(f"'{case.noun}' are said not to be seen", True,
                bool(case.noun) and case.noun in got.report["capture"]["witness_limits"])


def checks(case: Case, got: Got) -> Iterator[Check]:
    yield Check("status", 0, got.status)
    yield from truth_of(case, got)
    for writes in case.writes:
        yield from seen(case, writes, got)
    if case.reused and got.witness != "wp_page_copy":  # which is not called for them
        reuses = sum(p["reuses"] for p in got.processes())
        # Beside them: those of the stack, libc's data ... of each process after its fork.
        yield Check("reuses", Bound(case.reused - spare(got), case.reused + 60, "with those of libc"), reuses)
    if case.more:
        yield from case.more(got)


def manyforks(got: Got) -> Iterator[Check]:
    yield Check("processes", 201, len(got.processes()))


def refcount(got: Got) -> Iterator[Check]:
    for kind, n in REFCOUNTS.items():
        yield Check(f"{kind} inc", n, got.line("refcount23.py", kind, cause="refcount", type=kind))
    yield Check("bytes dec", 29, got.line("refcount23.py", "dec", cause="refcount", type="bytes"))


def preload(got: Got) -> Iterator[Check]:
    sites = [s for s in got.report["sites"] if (s["file"] or "").endswith("/preload.py")]
    top = max(sites, key=lambda s: s["copies"], default={"type": None, "cause": None, "function": None})
    yield Check("most copies are made by", ("int", "refcount", "BigApp.total"),
                (top["type"], top["cause"], top["function"]))
    here = [d for d in got.report["details"] if (d["file"] or "").endswith("/preload.py")]
    copies = sum(d["copies"] for d in here)
    proven = sum(d["copies"] for d in here if d["certainty"] == "proven")
    yield Check("95 % are proven", True, copies > 0 and proven >= 0.95 * copies)


CASES = (
    # --- anonymous pages
    Case("touch", "anon touch 1009", (Writes("touch_write", 0),)),
    Case("storm", "storm 5003", (Writes("storm_write", 5003, origin="fork"),)),
    Case("parent", "anon parent 1009", (Writes("parent_write", 1009, origin="fork"),)),
    Case("reuse", "reuse 1999", (Writes("reuse_write", 0),), reused=1999, alone=True),
    Case("mixed", "anon mixed 1009", (Writes("mixed_write", 1009),), reused=1009, alone=True),
    Case("mprotect", "anon mprotect 1009", (Writes("mprotect_write", 0),), alone=True),
    Case("syscalls", "anon syscalls 997", (Writes("syscalls_write", 0),), reused=997, alone=True),
    Case("zero", "zero 41", (Writes("zero_write", 41, origin="zero"),)),
    Case("stack", "stack main", (Writes("stack_write", 19, cause="stack"),)),
    Case("stack-thread", "stack thread", (Writes("stack_write", 19, cause="stack"),)),
    # --- files
    Case("filemap", "filemap 37", (Writes("filemap_write", 37, origin="file"),)),
    Case("file-fork", "filepages fork 211", (Writes("filefork_write", 211, origin="file"),)),
    Case("file-shared", "filepages shared 211", (Writes("fileshared_write", 0),)),
    Case("data", "data", (Writes("data_write", 43, cause="native-data"),
                          Writes("bss_write", 47, cause="native-data")), changed=False),
    # --- huge pages
    Case("thp-all", "thpsplit all 3", (Writes("thpall_write", 1536),)),
    Case("thp-sparse", "thpsplit sparse 3", (Writes("thpsparse_write", 3),)),
    Case("thp-sibling", "thpsplit sibling 3", (Writes("thpsibling_write", 0),), alone=True),
    # --- writes of the kernel
    Case("kernelwrite", "kernelwrite 31", (Writes("read (kernel)", 31, cause="kernel-write"),)),
    Case("file-read", "filepages read 211", (Writes("pread64 (kernel)", 211, cause="kernel-write"),)),
    Case("gup", "gup", (Writes("process_vm_writev (kernel)", 31, cause="kernel-write"),
                        Writes("pwrite64 (kernel)", 13, cause="kernel-write")), changed=[13, 31]),
    # --- processes
    Case("vfork", "vfork", (Writes("vfork_child", 5), Writes("vfork_parent", 7))),
    Case("exec", "exec", (Writes("exec_before", 11), Writes("exec_after", 17)), changed=False),
    Case("manyforks", "manyforks 200 5", (Writes("manyforks_write", 600),), changed=False, more=manyforks),
    # --- for judge.verified()
    Case("programs", "/usr/bin/insns", changed=False),
    # --- Python
    Case("refcount23", "refcount23.py", changed={**REFCOUNTS, "dec": 29}, more=refcount, batch="python"),
    Case("preload", "preload.py 50000", changed=False, more=preload, batch="python"),
    # --- rare pages
    Case("coldfile", "coldfile 37", (Writes("coldfile_write", 37),), batch="kinds"),
    Case("coldfile-drop", "coldfile 37 drop", (Writes("coldfile_write", 37),), batch="kinds"),
    Case("coldfile-kernel", "coldfile 37 kernel", (Writes("read (kernel)", 37),), batch="kinds"),
    Case("hugetlb", "hugetlb 5", (Writes("hugetlb_write", 5, pages=512),), batch="kinds", noun="hugetlb pages"),
    Case("hugezero", "hugezero 7", (Writes("hugezero_write", 7, origin="zero"),), batch="kinds", until="6.12"),
    Case("hugezero", "hugezero 7", (Writes("hugezero_write", 7, origin="zero", pages=512),), batch="kinds",
         since="6.18"),
    Case("ksm", "ksm 41", (Writes("ksm_write", 41),), batch="kinds"),
    Case("mthp", "mthp 61", (Writes("mthp_write", 61),), batch="kinds"),
    Case("odirect", "odirect 29", (Writes("pread64 (kernel)", 29),), batch="kinds"),
    Case("procmem", "procmem 19", (Writes("pwrite64 (kernel)", 19),), batch="kinds"),
    Case("ptracepoke", "ptracepoke 17", (Writes("ptrace (kernel)", 17),), batch="kinds"),
    Case("vmwritev", "vmwritev 23", (Writes("process_vm_writev (kernel)", 23),), batch="kinds"),
    Case("swapped", "swapped 53", (Writes("swapped_write", 53, origin="fork"),), changed=False, batch="kinds"),
    Case("thp", "thp 5", (Writes("thp_write", 5),), batch="kinds"),
    Case("uffdwp", "uffdwp 31", (Writes("uffdwp_write", 0),), alone=True, batch="kinds"),
    Case("uffdwp-shared", "uffdwp 31 shared", (Writes("uffdwp_write", 31),), batch="kinds"),
    Case("unshare", "unshare 43", (Writes("process_vm_readv (kernel)", 0),), batch="kinds", until="5.10"),
    Case("unshare", "unshare 43", (Writes("process_vm_readv (kernel)", 43),), batch="kinds", since="6.1"),
    # --- what the kernel's own count counts otherwise
    Case("race", "race 499", (Writes("race_write", 499, raced=True),), batch="open"),
)

BATCHES = tuple(dict.fromkeys(case.batch for case in CASES))
# In these the kernel counts as many copies, less those that the witness can not see.
CLOSED = ("closed", "python")


def lines_of(batch: str) -> str:
    return "".join(dict.fromkeys(case.line() for case in CASES if case.batch == batch))
