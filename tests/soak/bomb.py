#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bomb.py PAGES PAUSE FIRST COUNT: bursts of children that fork children that fork children, 40 in all, none of whom
waits for what it has forked; each writes to so many pages of what they share and is gone at once. Every other burst has
the pids of somebody else: COUNT from FIRST on. A pause follows each burst. At the end of its input it says how many
there were, as JSON."""
import json
import mmap
import os
import select
import sys

from again import Pids, libc

PR_SET_CHILD_SUBREAPER = 36
PAGE = mmap.PAGESIZE
WIDTH, DEPTH, EACH = 3, 3, 3 + 9 + 27 + 1
pages, pause, first, count = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
area = mmap.mmap(-1, pages * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
area.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(pages):
    area[page * PAGE] = 1
pids = Pids(first, count)


def burst(fork, node, depth):
    """In a child: it and all below it."""
    for child in range(node * WIDTH + 1, node * WIDTH + 1 + WIDTH if depth else 0):
        if fork(child) == 0:
            burst(fork, child, depth - 1)
    for at in range(pages):
        area[at * PAGE] = 2
    os._exit(0)


bursts = 0
libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
while not select.select([sys.stdin], [], [], pause)[0]:
    theirs = (lambda node: pids.fork(bursts * EACH + node)) if bursts % 2 else (lambda node: os.fork())
    if theirs(0) == 0:
        burst(theirs, 0, DEPTH)
    ended = 0
    while ended < EACH:
        assert os.wait()[1] == 0
        ended += 1
    bursts += 1
print(json.dumps({"forked": bursts * EACH, "written": bursts * EACH * pages}), flush=True)
