# SPDX-License-Identifier: MIT
"""Objects of five types, each alone on its pages, read once in the child: prime counts, one line each.

An object of some 200 kB is a mapping of its own: its header page holds nothing else.
"""
import gc
import os

import truth

SIZE = 200_000


class Payload(bytes):
    pass


def read_bytes(items):
    for item in items:  # line: bytes
        pass


def read_str(items):
    for item in items:  # line: str
        pass


def read_int(items):
    for item in items:  # line: int
        pass


def read_tuple(items):
    for item in items:  # line: tuple
        pass


def read_payload(items):
    for item in items:  # line: Payload
        pass


def drop(held):
    held.clear()  # line: dec


def main():
    gc.disable()
    truth.own_mappings()
    sets = {
        "bytes": (truth.make(23, lambda i: bytes(SIZE)), read_bytes),
        "str": (truth.make(19, lambda i: "x" * SIZE), read_str),
        "int": (truth.make(17, lambda i: 1 << (8 * SIZE + i)), read_int),
        "tuple": (truth.make(13, lambda i: (None,) * (SIZE // 8)), read_tuple),
        "Payload": (truth.make(11, lambda i: Payload(SIZE)), read_payload),
    }
    kept = truth.make(29, lambda i: bytes(SIZE))
    held = list(kept)
    pages = {name: truth.alone(items) for name, (items, _) in sets.items()}
    pages["dec"] = truth.alone(kept)
    before = {name: truth.frames(some) for name, some in pages.items()}
    truth.linger()  # before it forks, a master has lived for long enough to be known
    pid = os.fork()
    if pid == 0:
        for items, read in sets.values():
            read(items)
        drop(held)
        truth.say(
            expected={name: len(some) for name, some in pages.items()},
            changed={name: truth.changed(before[name], some) for name, some in pages.items()},
        )
        os._exit(0)
    os.waitpid(pid, 0)
    truth.linger()


main()
