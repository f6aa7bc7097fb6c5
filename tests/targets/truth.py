# SPDX-License-Identifier: MIT
"""What the Python workloads share: the ground truth that they print, read from /proc.

Nothing here runs in a child between the fork and the writes that are counted.
"""
import json
import os
import struct
import sys
import time

PAGE = 4096
MISFITS = []


def frames(pages):
    """Page frame numbers of the pages (a list of page numbers); needs root."""
    found = []
    with open("/proc/self/pagemap", "rb", buffering=0) as f:
        for page in pages:
            (entry,) = struct.unpack("Q", os.pread(f.fileno(), 8, page * 8))
            found.append(entry & ((1 << 55) - 1))
    return found


def changed(before, pages):
    return sum(a != b for a, b in zip(before, frames(pages)))


def page_of(address):
    return address // PAGE


def private_dirty():
    """Bytes of private memory of this process, as smaps has it."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no Private_Dirty in /proc/self/smaps_rollup")


def anonymous():
    with open("/proc/self/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no Anonymous in /proc/self/smaps_rollup")


def say(**facts):
    """One line of JSON on standard output, in one write."""
    os.write(1, (json.dumps(facts) + "\n").encode())


def own_mappings():
    """Makes malloc give each block of 64 KiB or more a mapping of its own, whatever was freed before:
    what begins there is alone on its first page. Starts the program again if it must."""
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        os.environ["MALLOC_MMAP_THRESHOLD_"] = "65536"
        os.execv(sys.executable, [sys.executable, *sys.argv])


def in_heap(address):
    """Whether it lies in the area that brk() extends."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            if line.endswith("[heap]\n"):
                start, end = line.split(" ", 1)[0].split("-")
                if int(start, 16) <= address < int(end, 16):
                    return True
    return False


def is_glibc():
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (OSError, ValueError):
        return False


def begins_mapping(x):
    """Whether malloc has given the object a mapping of its own. What malloc finds room for in its heap begins
    at any multiple of 16: one in fifty right behind the start of a page, beside others. musl has no such heap:
    what is large has pages of its own."""
    return id(x) % PAGE <= 64 and not (is_glibc() and in_heap(id(x)))


def make(count, one):
    """count objects, each at the start of a mapping of its own; one(i) makes a candidate. Those that
    malloc has put into free space of its heap are kept too, so that this space is soon used up."""
    made, misfits = [], []
    while len(made) < count:
        candidate = one(len(made))
        (made if begins_mapping(candidate) else misfits).append(candidate)
        assert len(misfits) < 1000, "malloc gives no mappings"
    MISFITS.append(misfits)
    return made


def alone(objects):
    """The first pages of objects that are alone there: in the first bytes of a mapping of their own."""
    pages = [page_of(id(x)) for x in objects]
    assert all(begins_mapping(x) for x in objects), "an object does not begin a mapping"
    assert len(set(pages)) == len(pages), "two objects share a page"
    return pages


def linger():
    """The last thing a target does. cowtrace reads names from the memory of the living: a process that is
    gone at once keeps its counts but may lose its names. LINGER_MS=0: do not wait."""
    time.sleep(int(os.environ.get("LINGER_MS", "100")) / 1000)


def child(work):
    """Forks; work(), in the child, returns facts to print. Waits for the child, and lingers."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            facts = work()
            if facts:
                say(pid=os.getpid(), **facts)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status:
        raise SystemExit(f"child {pid} ended with status {status:#x}")
    linger()
