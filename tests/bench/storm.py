# SPDX-License-Identifier: MIT
"""storm.py PAGES DEPTH CHILDREN: each of some forked children, one after the other, takes a reference to one int on each
of PAGES pages of the heap, as fast as Python can, DEPTH frames deep: one copy for each turn of the loop. Each frame is
of a function of its own, as in programs that do something.

Prints, as JSON, the copies that this must make, those that the kernel's page tables show, and what each child took for
one. Runs with any CPython from 3.8 on.
"""
import gc
import json
import os
import sys
import time

import heap

WARM = 64  # calls: as functions of a program that has run for a while, they are specialised by then (3.11+)
now = getattr(time, os.environ.get("STORM_CLOCK", "perf_counter_ns"))


def loop(objects):
    start = now()
    for _ in objects:
        pass
    return now() - start


def stacked(frames):
    """A function that calls another one, and so on, until so many frames are below loop()'s."""
    names = {"call_0": loop}
    exec("".join(f"def call_{n}(objects):\n    return call_{n - 1}(objects)\n\n" for n in range(1, frames + 1)), names)
    return names[f"call_{frames}"]


def tell(out, result):
    os.write(out, json.dumps(result).encode())
    os._exit(0)


gc.disable()
storm, kept = heap.one_on_each_page(int(sys.argv[1]))
pages = heap.pages_of(storm)
deep = int(sys.argv[2])
descend = stacked(max(0, deep - 2))  # above <module>, below loop
for _ in range(WARM):
    descend([])
results = []
for _ in range(int(sys.argv[3])):
    back, out = os.pipe()
    if os.fork() == 0:
        before = heap.frames(pages)
        if deep == 1:  # here, in <module>
            start = now()
            for _ in storm:
                pass
            ns = now() - start
        else:
            ns = descend(storm)
        tell(out, [ns / len(storm), sum(a != b for a, b in zip(before, heap.frames(pages)))])
    os.close(out)
    results.append(json.loads(os.read(back, 100).decode()))
    os.close(back)
    os.wait()
print(json.dumps({"copies": len(storm) * len(results), "changed": sum(r[1] for r in results),
                  "ns_per_copy": [round(r[0], 1) for r in results]}))
