# SPDX-License-Identifier: MIT
"""What the Python workloads share: the ground truth that they print, read from /proc.

Nothing here runs in a child between the fork and the writes that are counted.
"""
import json
import os
import struct
import time

PAGE = 4096


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
