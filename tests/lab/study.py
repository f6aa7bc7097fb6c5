# SPDX-License-Identifier: MIT
"""The study that users cite: a dataset as a list of dicts with strings, which four workers read in random order, in a
loop; and the same as one numpy blob. study.py dicts|blob [ITEMS]

Prints, as JSON, how much private memory the parent has after the fork and when the workers have read, and each
worker's sum."""
import os
import random
import sys

import numpy as np

ITEMS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
WORKERS, EPOCHS = 4, 2


def say(first, second, third=0):
    """As JSON, but without the json module: its own copies are not the study's."""
    os.write(1, b'{"%b": %d, "%b": %d, "after": %d}\n' % (*first, *second, third))


def private():
    with open("/proc/self/smaps_rollup", "rb", buffering=0) as rollup:
        rows = rollup.read().split(b"\n")
    return 1024 * sum(int(row.split()[1]) for row in rows if row.startswith(b"Private_"))


def path(i):
    return f"images/train/class-{i % 1000:04}/{i:08}.jpeg"


def label(i):
    return 1000 + i


class Dicts:
    def __init__(self):
        self.items = [{"path": path(i), "label": label(i)} for i in range(ITEMS)]

    def read(self, i):
        return len(self.items[i]["path"]) + self.items[i]["label"]  # line: read


class Blob:
    def __init__(self):
        texts = b"".join(path(i).encode() for i in range(ITEMS))
        self.blob = np.frombuffer(texts, dtype=np.uint8)
        self.ends = np.cumsum(np.fromiter((len(path(i)) for i in range(ITEMS)), dtype=np.int64))
        self.labels = np.fromiter((label(i) for i in range(ITEMS)), dtype=np.int64)

    def read(self, i):
        start = self.ends[i - 1] if i else 0
        return len(self.blob[start:self.ends[i]].tobytes().decode()) + int(self.labels[i])


def work(data, seed):
    at = random.Random(seed).random
    total = 0
    for _ in range(EPOCHS * ITEMS):
        total += data.read(int(at() * ITEMS))
    return total


def main():
    data = Dicts() if sys.argv[1] == "dicts" else Blob()
    ready, go = os.pipe()
    done, finished = os.pipe()
    over, end = os.pipe()
    pids = []
    # What numpy sets up when it is first used is not the study's.
    say((b"warm", data.read(1)), (b"items", ITEMS))
    for seed in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)
            say((b"pid", os.getpid()), (b"total", work(data, seed)))
            os.write(finished, b".")
            os.read(over, 1)
            os._exit(0)
        pids.append(pid)
    before = private()
    os.write(go, b"." * WORKERS)
    for _ in pids:
        os.read(done, 1)
    say((b"parent", os.getpid()), (b"before", before), private())
    os.write(end, b"." * WORKERS)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    os._exit(1 if failed else 0)


main()
