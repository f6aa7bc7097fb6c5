# SPDX-License-Identifier: MIT
"""Reference counts: objects of six types that are only read, and references that are dropped."""
import place


class Slotted:
    __slots__ = ("x", "y", "z")


class Plain:
    pass


def read_slotted(items):
    for item in items:  # line: slotted
        pass


def read_plain(items):
    for item in items:  # line: plain
        pass


def read_float(items):
    for item in items:  # line: float
        pass


def read_int(items):
    for item in items:  # line: int
        pass


def read_str(items):
    for item in items:  # line: str
        pass


def read_tuple(items):
    for item in items:  # line: tuple
        pass


def drop(held):
    held.clear()  # line: dec


def inc(name, make, count, read):
    items, pages = place.choose([make(i) for i in range(40_000)], count, place.REFS)
    read([])  # what belongs to the code is written in the parent
    place.cell(name, lambda: read(items), pages)


def dec():
    items, pages = place.choose([Slotted() for _ in range(40_000)], 37, place.REFS)
    held = list(items)
    drop([])
    place.cell("refcount dec", lambda: drop(held), pages)


place.main(
    lambda: inc("refcount inc slotted", lambda i: Slotted(), 23, read_slotted),
    lambda: inc("refcount inc plain", lambda i: Plain(), 29, read_plain),
    lambda: inc("refcount inc float", lambda i: i + 0.5, 19, read_float),
    lambda: inc("refcount inc int", lambda i: i + (1 << 70), 31, read_int),
    lambda: inc("refcount inc str", lambda i: "name-%08d" % i, 17, read_str),
    lambda: inc("refcount inc tuple", lambda i: (i, i), 13, read_tuple),
    dec,
)
