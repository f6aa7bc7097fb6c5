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


def collect():
    gc.collect()  # line: collect


def new_list():
    return []  # line: track


def drop(victims):
    victims.clear()  # line: untrack


def collection():
    truth.make(1, lambda i: bytes(8 * len(ITEMS)))  # uses up the free space of malloc's heap
    objects = [Tracked(ITEMS) for _ in range(13)]
    place.cell("gc-header collect", collect, truth.alone(objects))


def tracking():
    """What is new goes behind the last one of the list, whose head then names it: a copy in each child."""
    new_list()
    for _ in range(7):
        # Nothing that the collector tracks may be made, and live, from here to the fork.
        (tail,) = truth.make(1, lambda i: Tail(ITEMS))
        page = truth.page_of(id(tail))
        (before,) = truth.frames((page,))
        pid = os.fork()
        if pid == 0:
            new_list()
            place.child("gc-header track", lambda: None, (before,), (page,), 1)
        os.waitpid(pid, 0)
        truth.MISFITS.append(tail)


def triples(count):
    """Each a small list between two large objects, in the order in which the collector has them."""
    made, misfits = [], []
    while len(made) < count:
        three = [Before(ITEMS), [], After(ITEMS)]
        fits = all(id(x) % truth.PAGE <= 64 for x in (three[0], three[2]))
        (made if fits else misfits).append(three)
        assert len(misfits) < 1000, "malloc gives no mappings"
    truth.MISFITS.append(misfits)
    return made


def untracking():
    """Taking one out writes to the heads of both neighbours: 11 before, 11 after."""
    made = triples(11)
    pages = truth.alone([x[0] for x in made] + [x[2] for x in made])
    victims = [x.pop(1) for x in made]
    drop([])
    place.cell("gc-header untrack", lambda: drop(victims), pages)


cells = [collection]
if not place.FREE_THREADED:  # no lists there
    cells += [tracking, untracking]
place.main(*cells)
