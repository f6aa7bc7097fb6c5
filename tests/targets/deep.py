# SPDX-License-Identifier: MIT
"""deep.py DEPTH: 23 objects, each alone on its pages, read in the child below DEPTH frames of one
function."""
import gc
import sys

import truth


def read(items):
    for item in items:  # line: read
        pass


def descend(depth, items):
    if depth > 1:
        descend(depth - 1, items)
    else:
        read(items)


def main():
    gc.disable()
    truth.own_mappings()
    items = truth.make(23, lambda i: bytes(200_000))
    pages = truth.alone(items)
    before = truth.frames(pages)

    def work():
        descend(int(sys.argv[1]), items)
        return {"expected": 23, "changed": truth.changed(before, pages)}

    truth.child(work)


main()
