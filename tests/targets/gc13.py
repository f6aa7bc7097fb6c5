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
    truth.own_mappings()
    inner = [[]]
    objects = truth.make(13, lambda i: Tracked(inner * 25_000))
    pages = truth.alone(objects)
    assert all(gc.is_tracked(x) for x in objects)
    before = truth.frames(pages)

    def work():
        collect()
        return {"expected": 13, "changed": truth.changed(before, pages)}

    truth.child(work)


main()
