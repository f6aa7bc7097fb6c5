# SPDX-License-Identifier: MIT
"""storm.py PAGES DEPTH CHILDREN: each of some forked children, one after the other, takes a reference to one int on each
of PAGES pages of the heap, as fast as Python can, DEPTH frames deep: one copy for each turn of the loop.

Prints, as JSON, the copies that this must make, those that the kernel's page tables show, and what each child took for
one. Runs with any CPython from 3.8 on.
"""
import array
import gc
import json
import os
import struct
import sys
import time

PAGE = 4096
PER_PAGE = 128  # ints of 32 bytes


def one_on_each_page(n):
    """Of ints that lie in the order in which they were made, the first on each page."""
    ints = list(range(1000, 1000 + n * PER_PAGE + PER_PAGE))
    found, last = [], 0
    for number in ints:
        page = id(number) // PAGE
        if page != last:
            found.append(number)
            last = page
    return ints, found[1 : n + 1]


def frames(pagemap, pages):
    """Where each page lies in the memory of the machine."""
    return [struct.unpack("Q", os.pread(pagemap, 8, page * 8))[0] & (1 << 55) - 1 for page in pages]


def loop(objects):
    start = time.perf_counter_ns()
    for _ in objects:
        pass
    return time.perf_counter_ns() - start


def descend(depth, objects):
    return loop(objects) if depth <= 0 else descend(depth - 1, objects)


def fill(out, result):
    os.write(out, json.dumps(result).encode())
    os._exit(0)


gc.disable()
heap, storm = one_on_each_page(int(sys.argv[1]))
pages = array.array("Q", [id(o) // PAGE for o in storm])  # of which no object is touched to read it
deep = int(sys.argv[2])
results = []
for _ in range(int(sys.argv[3])):
    back, out = os.pipe()
    if os.fork() == 0:
        pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
        before = frames(pagemap, pages)
        if deep == 1:  # here, in <module>
            start = time.perf_counter_ns()
            for _ in storm:
                pass
            ns = time.perf_counter_ns() - start
        else:
            ns = descend(deep - 3, storm) if deep > 2 else loop(storm)
        fill(out, [ns / len(storm), sum(a != b for a, b in zip(before, frames(pagemap, pages)))])
    os.close(out)
    results.append(json.loads(os.read(back, 100).decode()))
    os.close(back)
    os.wait()
print(json.dumps({"copies": len(storm) * len(results), "changed": sum(r[1] for r in results),
                  "ns_per_copy": [round(r[0], 1) for r in results]}))
