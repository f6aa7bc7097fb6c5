#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""churn.py WORKERS PAGES FIRST COUNT: a master that always has so many workers, each of which writes to so many pages
of what they share, and ends a quarter of a second later. Their pids are COUNT from FIRST on. At the end of its input it
waits for the last ones and says how many there were, as JSON."""
import json
import mmap
import os
import select
import sys
import time

from again import Pids

PAGE = mmap.PAGESIZE
workers, pages, first, count = map(int, sys.argv[1:])
area = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
area.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(pages):
    area[page * PAGE] = 1
pids = Pids(first, count)
living = forked = 0


def serve():
    for at in range(pages):
        area[at * PAGE] = 2
    time.sleep(0.25)
    os._exit(0)


while not select.select([sys.stdin], [], [], 0)[0]:
    while living < workers:
        if pids.fork(forked) == 0:
            serve()
        living += 1
        forked += 1
    os.wait()
    living -= 1
while living:
    os.wait()
    living -= 1
print(json.dumps({"forked": forked, "written": forked * pages}), flush=True)
