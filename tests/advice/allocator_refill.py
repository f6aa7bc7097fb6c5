# SPDX-License-Identifier: MIT
"""The parent made cycles beside its data. They are collected before the fork, or kept from the collector."""
import gc

import workers

N = 60_000


class Node:
    __slots__ = ("other", "name")


def build():
    kept = []
    for i in range(N):
        node = Node()
        if i % 8:
            kept.append(node)
        else:
            node.other = node  # a cycle: that it is garbage only a collection finds
    return kept


gc.disable()
data = build()
if workers.AFTER:
    gc.freeze()
else:
    gc.collect()


def work():
    gc.enable()
    made = [Node() for _ in range(N // 8)]
    return len(made)


workers.fork(work)
