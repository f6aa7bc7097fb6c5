# SPDX-License-Identifier: MIT
"""workers_of_ints.py PAGES WORKERS GENERATIONS: has a heap, and says so; after a line of input forks so many workers at once, each
of which refers to one object on each of PAGES pages and ends, one generation of them after the other; says how many
copies that made, and ends after another line. GENERATIONS 0: the workers are there from the start, and only wait."""
import gc
import json
import os
import signal
import sys

import heap


def loop(objects):
    for _ in objects:
        pass


def stacked(frames):
    """As in storm.py."""
    names = {"call_0": loop}
    exec("".join(f"def call_{n}(objects):\n    return call_{n - 1}(objects)\n\n" for n in range(1, frames + 1)), names)
    return names[f"call_{frames}"]


def worker(work):
    if os.fork() == 0:
        work()
        os._exit(0)


def say(**what):
    print(json.dumps(what), flush=True)


gc.disable()
descend = stacked(6)  # ten frames, with those of this file
for _ in range(64):  # as in storm.py
    descend([])
signal.signal(signal.SIGINT, signal.SIG_IGN)
storm, kept = heap.one_on_each_page(int(sys.argv[1]))
workers, generations = int(sys.argv[2]), int(sys.argv[3])
if not generations:
    back, out = os.pipe()
    for _ in range(workers):
        worker(lambda: (os.close(out), os.read(back, 1)))
say(pid=os.getpid())
sys.stdin.readline()
for _ in range(generations):
    for _ in range(workers):
        worker(lambda: descend(storm))
    for _ in range(workers):
        os.wait()
say(copies=len(storm) * workers * generations)
sys.stdin.readline()
