# SPDX-License-Identifier: MIT
"""loop.py ITEMS DEPTH CHILDREN: the article's list, looped over once by each of some forked children, one
after the other, DEPTH frames deep.

Prints, as JSON, what each loop took per page that it copied (growth of Private_Dirty).
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


def child(depth, items, out):
    descend(depth, items[:1])  # what the first call itself copies
    before = private_dirty()
    ns = descend(depth, items)
    copies = (private_dirty() - before) // PAGE
    os.write(out, json.dumps(ns / copies).encode())
    os._exit(0)


def main():
    gc.disable()
    items = [item for item in range(int(sys.argv[1]))]
    depth = int(sys.argv[2]) - 4  # <module>, main, child and loop are four
    results = []
    for _ in range(int(sys.argv[3])):
        back, out = os.pipe()
        if os.fork() == 0:
            child(depth, items, out)
        os.close(out)
        results.append(json.loads(os.read(back, 100)))
        os.close(back)
        os.wait()
    print(json.dumps({"ns_per_copy": results}))


main()
