# SPDX-License-Identifier: MIT
"""What the targets of the matrix share: objects chosen by where they lie, and cells that run in a child.

A copy has the cause of the first write to its page. So a target chooses objects such that the bytes that it
is about lie on a page of their own: no other chosen object is there, and nothing else that the child writes.
Runs on CPython 3.8 to 3.15, also where ctypes and others are missing.
"""
import gc
import os
import sys
import traceback

import truth

# Pools of one page: no block lies across two pages.
SMALL_POOLS = sys.version_info < (3, 10)
FREE_THREADED = "t" in getattr(sys, "abiflags", "")
DEBUG = hasattr(sys, "gettotalrefcount")
# The bytes of an object that counting its references writes, and its type, which is next to them.
REFS = (0, 32) if FREE_THREADED else (0, 16)
HASH = (40, 48) if FREE_THREADED else (24, 32)  # of str and bytes, 3.14 and later also of tuple


def pages_of(address, part):
    return set(range(truth.page_of(address + part[0]), truth.page_of(address + part[1] - 1) + 1))


def keep(objects):
    """Alive until the end."""
    truth.MISFITS.append(objects)


def covered(objects):
    """The pages that lie wholly within these objects and what the allocator has between two that are neighbours. Of
    other pages a part may be free: what the child allocates there writes to them."""
    spans = sorted((id(item), id(item) + sys.getsizeof(item)) for item in objects)
    runs = [list(spans[0])]
    for start, end in spans[1:]:
        if start <= runs[-1][1] + 112:
            runs[-1][1] = end
        else:
            runs.append([start, end])
    return {page for start, end in runs
            for page in range(truth.page_of(start - 1) + 1, truth.page_of(end - 112))}


def choose(candidates, count, hit, quiet=None, avoid=(), within=None):
    """count of the candidates, and the pages of their bytes hit (from, to). Each lies on one page; bytes
    quiet, and the heads of the objects avoid, which are written too, lie on other pages. Candidates at both
    ends are left out: there, memory may be free that the child gets. within: these pages only. All candidates stay
    alive."""
    keep(candidates)
    chosen, hits, others = [], [], {page for other in avoid for page in pages_of(id(other), REFS)}
    for candidate in candidates[len(candidates) // 8 : -(len(candidates) // 8)]:
        pages = pages_of(id(candidate), hit)
        near = pages_of(id(candidate), quiet) if quiet else set()
        if len(pages) > 1 or pages & (near | others | set(hits)) or near & set(hits):
            continue
        if within is not None and not pages <= within:
            continue
        chosen.append(candidate)
        hits += pages
        others |= near
        if len(chosen) == count:
            return chosen, hits
    raise SystemExit(f"only {len(chosen)} of {count} objects lie as they should")


def child(name, work, before, pages, expected):
    """What the child does: the work, then it tells how many of the pages are another frame than before."""
    status = 1
    try:
        work()
        changed = truth.changed(before, pages) if pages else None
        truth.say(cell=name, changed=changed, expected=expected)
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(status)


def cell(name, work, pages=None, expected=None):
    """Runs work in a child. What it works on lives on: cowtrace may look at it, in the parent, some time later."""
    keep(work)
    before = truth.frames(pages) if pages else None
    pid = os.fork()
    if pid == 0:
        child(name, work, before, pages, expected or len(pages))
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"the child of {name!r} ended with status {status:#x}")


def main(*cells, by_malloc=False):
    """Runs each: a function that prepares a cell and calls cell(). by_malloc: with PYTHONMALLOC=malloc, for
    objects that lie across two pages, which no block of pymalloc does where its pools are one page."""
    if by_malloc and "PYTHONMALLOC" not in os.environ and not FREE_THREADED:
        os.environ["PYTHONMALLOC"] = "malloc"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    gc.disable()
    truth.own_mappings()
    for prepare in cells:
        prepare()
    truth.linger()
