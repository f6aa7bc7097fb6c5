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
    items = [bytes(200_000) for _ in range(23)]
    pages = [truth.page_of(id(x)) for x in items]
    before = truth.frames(pages)

    def work():
        descend(int(sys.argv[1]), items)
        return {"expected": 23, "changed": truth.changed(before, pages)}

    truth.child(work)


main()
