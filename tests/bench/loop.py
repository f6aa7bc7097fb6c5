# SPDX-License-Identifier: MIT
"""loop.py ITEMS DEPTH: the article's list, looped over once by one forked child, DEPTH frames deep.

Prints, as JSON, how long the loop took and how many pages it copied (growth of Private_Dirty).
"""
import gc
import json
import os
import sys
import time

PAGE = 4096


def private_dirty():
    with open("/proc/self/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError("no Private_Dirty")


def loop(items):
    start = time.perf_counter_ns()
    for _ in items:
        pass
    return time.perf_counter_ns() - start


def descend(depth, items):
    return descend(depth - 1, items) if depth > 0 else loop(items)


def main():
    gc.disable()
    items = [item for item in range(int(sys.argv[1]))]
    depth = int(sys.argv[2]) - 3  # <module>, main and loop are three
    pid = os.fork()
    if pid == 0:
        descend(depth, items[:1])  # what the first call itself copies
        before = private_dirty()
        ns = descend(depth, items)
        copies = (private_dirty() - before) // PAGE
        os.write(1, json.dumps({"ns": ns, "copies": copies}).encode() + b"\n")
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    sys.exit(1 if status else 0)


main()
