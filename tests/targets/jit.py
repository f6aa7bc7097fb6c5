# SPDX-License-Identifier: MIT
"""Hot functions, so that the JIT (3.14+, PYTHON_JIT=1) has compiled them before the fork; then the child runs them
over objects that are each alone on their page. Prints whether the code was seen to run as machine code.

With the JIT, the function of a copy is exact; its line can be that of an earlier instruction of the same trace,
because such code does not note every instruction.
"""
import gc
import sys

import truth

COUNT = 101
ROUNDS = 9000


class Jitted(bytes):
    __slots__ = ()


def leaf(items, i, is_active):  # line: leaf first
    x = items[i]
    y = (x, is_active())
    return y[1]  # line: leaf last


def outer(items, count, is_active):  # line: outer first
    active = 0
    for i in range(count):
        active += leaf(items, i, is_active)
    return active  # line: outer last


def main():
    jit = getattr(sys, "_jit", None)
    if not jit or not jit.is_enabled():
        truth.say(enabled=False)
        return
    gc.disable()
    truth.own_mappings()
    outer([b"x"] * ROUNDS, ROUNDS, jit.is_active)
    items = truth.make(COUNT, lambda i: Jitted(70_000))
    truth.alone(items)

    def work():
        active = outer(items, COUNT, jit.is_active)
        return {"enabled": True, "active": active, "count": COUNT}

    truth.child(work)


main()
