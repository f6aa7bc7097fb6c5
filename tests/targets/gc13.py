# SPDX-License-Identifier: MIT
"""gc.collect() in the child, over 13 tracked objects, each alone on its pages."""
import gc
import os

import truth


class Tracked(tuple):
    __slots__ = ()


def collect():
    gc.collect()  # line: collect


def main():
    gc.disable()
    inner = [[]]
    objects = [Tracked(inner * (25_000 + i)) for i in range(13)]
    # The collector's head stands right before the object.
    pages = [truth.page_of(id(x) - 16) for x in objects]
    assert len(set(pages)) == 13, "two objects share a page"
    assert all(gc.is_tracked(x) for x in objects)
    before = truth.frames(pages)

    def work():
        collect()
        return {"expected": 13, "changed": truth.changed(before, pages)}

    truth.child(work)


main()
