#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""churn.py WORKERS PAGES: a master that always has so many workers, each of which writes to so many pages of what
they share, and ends. At the end of its input it waits for the last ones and says how many there were, as JSON."""
import json
import mmap
import os
import select
import signal
import sys
import time

PAGE = mmap.PAGESIZE
workers, pages = int(sys.argv[1]), int(sys.argv[2])
area = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
area.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(pages):
    area[page * PAGE] = 1
signal.signal(signal.SIGINT, signal.SIG_IGN)
living = forked = 0


def fork():
    if os.fork():
        return
    for at in range(pages):
        area[at * PAGE] = 2
    time.sleep(0.25)
    os._exit(0)


print(json.dumps({"pid": os.getpid()}), flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    while living < workers:
        fork()
        living += 1
        forked += 1
    os.wait()
    living -= 1
while living:
    os.wait()
    living -= 1
print(json.dumps({"forked": forked}), flush=True)
time.sleep(5)  # until it has been looked at
