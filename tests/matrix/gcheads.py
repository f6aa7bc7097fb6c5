# SPDX-License-Identifier: MIT
"""The heads that the garbage collector has in front of objects: a collection, objects put into its lists,
objects taken out of them. Those that are counted are alone on their pages: each is 200 kB."""
import gc
import os

import place
import truth


class Tracked(tuple):
    __slots__ = ()


class Tail(tuple):
    __slots__ = ()


class Before(tuple):
    __slots__ = ()


class After(tuple):
    __slots__ = ()


ITEMS = [[]] * 25_000


def heads(objects):
    """The pages of their heads, which are in front of them; free-threaded builds have a byte in the object."""
    place_of_head = 11 if place.FREE_THREADED else -1
    pages = [truth.page_of(id(x) + place_of_head) for x in objects]
    assert len(set(pages)) == len(pages), "two heads on one page"
    return pages


def collect():
    gc.collect()  # line: collect


def new_list():
    return []  # line: track


def drop(victims):
    victims.clear()  # line: untrack


def collection():
    place.keep([bytes(8 * len(ITEMS)) for _ in range(20)])  # uses up the free space of malloc's heap
    objects = [Tracked(ITEMS) for _ in range(13)]
    place.keep(objects)
    place.cell("gc-header collect", collect, heads(objects))


def tracking():
    """What is new goes behind the last one of the list, whose head then names it: a copy in each child."""
    new_list()
    for _ in range(7):
        # Nothing that the collector tracks may be made, and live, from here to the fork.
        tail = Tail(ITEMS)
        page = truth.page_of(id(tail) - 1)
        (before,) = truth.frames((page,))
        pid = os.fork()
        if pid == 0:
            new_list()
            place.child("gc-header track", lambda: None, (before,), (page,), 1)
        os.waitpid(pid, 0)
        place.keep(tail)


def untracking():
    """Taking one out writes to the heads of both neighbours: 11 before, 11 after."""
    # Each a small list between two large objects, in the order in which the collector has them.
    made = [[Before(ITEMS), [], After(ITEMS)] for _ in range(11)]
    pages = heads([x[0] for x in made] + [x[2] for x in made])
    place.keep(made)
    victims = [x.pop(1) for x in made]
    drop([])
    place.cell("gc-header untrack", lambda: drop(victims), pages)


cells = [collection]
if not place.FREE_THREADED:  # no lists there
    cells += [tracking, untracking]
place.main(*cells)
