#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""forker.py PAGES [WORKERS]: a Python service whose workers write to pages that they share.

Commands on standard input, each answered by a line of JSON:
  fork N    forks N more workers
  write N   each worker writes N pages that it has not written before, of its PAGES
  kill      the last worker is killed
It ends, with its workers, at the end of its input.
"""
import json
import mmap
import os
import signal
import sys

PAGE = mmap.PAGESIZE
PAGES = int(sys.argv[1])
area = mmap.mmap(-1, PAGES * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
area.madvise(mmap.MADV_NOHUGEPAGE)
for page in range(PAGES):
    area[page * PAGE] = 1
workers = []  # (pid, where its orders are written to, where its answers come from)


def write_pages(first, n):
    for page in range(first, first + n):
        area[page * PAGE] = 2  # line: write


def work(orders, answers):
    done = 0
    for line in orders:
        write_pages(done, int(line))
        done += int(line)
        answers.write("done\n")
        answers.flush()
    os._exit(0)


def fork():
    to_read, to_write = os.pipe()
    from_read, from_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _, orders, answers in workers:
            orders.close()
            answers.close()
        os.close(to_write)
        os.close(from_read)
        work(os.fdopen(to_read), os.fdopen(from_write, "w"))
    os.close(to_read)
    os.close(from_write)
    workers.append((pid, os.fdopen(to_write, "w", 1), os.fdopen(from_read)))


def say(**what):
    print(json.dumps(dict(what, workers=[pid for pid, _, _ in workers])), flush=True)


def main():
    for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 0):
        fork()
    say(pid=os.getpid())
    for line in sys.stdin:
        command, _, n = line.partition(" ")
        if command == "fork":
            for _ in range(int(n)):
                fork()
        elif command == "write":
            for _, orders, _ in workers:
                orders.write(n)
            for _, _, answers in workers:
                answers.readline()
        else:
            pid, orders, answers = workers.pop()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        say()


main()
