# SPDX-License-Identifier: MIT
"""Fields that are filled in when something is first asked for. The objects begin so near to the end of a page
that their reference count, which is written first, is on another page than the field."""
import sys

import place

SIZES = (*range(8, 64, 4), *range(600, 640, 8))  # of several size classes, and for malloc
EDGE = 300  # so many of a size fill more than a pool


def hash_str(items):
    for item in items:
        hash(item)  # line: str hash


def hash_bytes(items):
    for item in items:
        hash(item)  # line: bytes hash


def hash_tuple(items):
    for item in items:
        hash(item)  # line: tuple hash


def encode(items):
    for item in items:
        eval(item)  # line: utf8


def many(make):
    """make(size, i) for every size. Those at the ends stay alive too, but share pools with free blocks."""
    made = []
    for size in SIZES:
        objects = [make(size, i) for i in range(3000)]
        place.keep(objects)
        made += objects[EDGE:-EDGE]
    return made


def measure(name, candidates, count, hit, work):
    items, pages = place.choose(candidates, count, hit, place.REFS)
    work([])
    place.cell(name, lambda: work(items), pages)


def of_str():
    candidates = many(lambda size, i: "%0*d" % (size, i))
    measure("lazy-cache str hash", candidates, 23, place.HASH, hash_str)


def of_bytes():
    candidates = many(lambda size, i: b"%0*d" % (size, i))
    measure("lazy-cache bytes hash", candidates, 19, place.HASH, hash_bytes)


def of_tuple():
    candidates = many(lambda size, i: tuple(range(i, i + 1 + size // 8)))
    measure("lazy-cache tuple hash", candidates, 13, place.HASH, hash_tuple)


def of_utf8():
    if place.FREE_THREADED:
        hit = (56, 72)
    else:
        hit = (40, 56) if sys.version_info >= (3, 12) else (48, 64)
    candidates = many(lambda size, i: "'\u20ac%0*d'" % (size, i))
    measure("lazy-cache utf8", candidates, 11, hit, encode)


cells = [of_str, of_bytes, of_utf8]
if sys.version_info >= (3, 14):
    cells.append(of_tuple)
place.main(*cells, by_malloc=place.SMALL_POOLS)
