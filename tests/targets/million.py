# SPDX-License-Identifier: MIT
"""million.py PAGES WORKERS: each worker, one after the other, reads objects of three types that lie on so many
pages of their own, in three functions."""
import gc
import os
import sys


def read_bytes(objects):
    for item in objects:
        item.__class__


def read_strings(objects):
    return sum(1 for item in objects if item is not None)


def read_tuples(objects):
    return [item is None for item in objects].count(True)


def main(pages, workers):
    third = pages // 3
    raw = [bytes(4040) for _ in range(third)]
    text = [chr(97 + i % 26) * 4020 for i in range(third)]
    none = (None,)
    tuples = [none * 500 for _ in range(third)]
    gc.freeze()
    for _ in range(workers):
        pid = os.fork()
        if not pid:
            read_bytes(raw)
            read_strings(text)
            read_tuples(tuples)
            os._exit(0)
        os.waitpid(pid, 0)


main(int(sys.argv[1]), int(sys.argv[2]))
