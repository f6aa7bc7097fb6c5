# SPDX-License-Identifier: MIT
"""The hash of a frozenset, kept when it is first asked for. No block of pymalloc of that size lies across two
pages such that the reference count is on the first and the hash on the second: malloc's do."""
import place


def hash_frozenset(items):
    for item in items:
        hash(item)  # line: frozenset hash


def of_frozenset():
    made = []
    for i in range(20_000):
        # Of many sizes, so that what malloc gives lies at any place of a page.
        made.append((frozenset((i, i + 1)), bytes(16 * (i % 61))))
    candidates = [x[0] for x in made]
    hit = (64, 72) if place.FREE_THREADED else (48, 56)
    items, pages = place.choose(candidates, 17, hit, place.REFS)
    hash_frozenset([])
    place.cell("lazy-cache frozenset hash", lambda: hash_frozenset(items), pages)


place.main(of_frozenset, by_malloc=True)
