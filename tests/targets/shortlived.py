# SPDX-License-Identifier: MIT
"""Workers that are gone after 5 ms: each reads 23 objects of a type of theirs, each alone on its page, and
ends. Some run code that they alone have ever had; some are children of a child that is gone first; the last ones
outlive their master, which does not wait for them.
"""
import gc
import os
import time

import truth

LIFE = 0.005
AT_ONCE = 4


class Row(tuple):
    __slots__ = ()


class Data(bytes):
    __slots__ = ()


def read(items):
    for item in items:
        pass


def serve(items, others):
    end = time.monotonic() + LIFE
    read(items)
    for other in others:
        len([other])
    while time.monotonic() < end:
        pass


def fresh(items, others):
    """Code that exists in this worker only, and under a name of its own."""
    name = "own_%d" % os.getpid()
    space = {"serve": serve}
    exec("def %s(items, others):\n\n    return serve(items, others)\n" % name, space)
    space[name](items, others)


def spawn(kind, items, others):
    pid = os.fork()
    if pid:
        return pid
    if kind != "daemon" or os.fork() == 0:
        (fresh if kind == "fresh" else serve)(items, others)
    os._exit(0)


def orphans(items, others):
    """A master that does not wait for its workers."""
    pid = os.fork()
    if pid == 0:
        for _ in range(AT_ONCE):
            spawn("plain", items, others)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def main():
    gc.disable()
    truth.own_mappings()
    items = truth.make(19, lambda i: Data(70_000))
    others = truth.make(4, lambda i: Row([None] * 9_000))
    gc.freeze()
    truth.linger()  # before it forks, a master has lived for long enough to be known
    plan = {"plain": 200, "fresh": 60, "daemon": 40}
    for kind, count in plan.items():
        for start in range(0, count, AT_ONCE):
            for pid in [spawn(kind, items, others) for _ in range(AT_ONCE)]:
                assert os.waitpid(pid, 0)[1] == 0
    orphans(items, others)
    truth.say(workers=sum(plan.values()) + AT_ONCE, objects=len(items) + len(others))
    time.sleep(0.1)  # cowtrace ends with the command; the orphans are to end before


main()
