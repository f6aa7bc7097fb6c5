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
    sets = {
        "bytes": ([bytes(SIZE) for _ in range(23)], read_bytes),
        "str": (["x" * SIZE for _ in range(19)], read_str),
        "int": ([1 << (8 * SIZE + i) for i in range(17)], read_int),
        "tuple": ([(None,) * (SIZE // 8 + i) for i in range(13)], read_tuple),
        "Payload": ([Payload(SIZE) for _ in range(11)], read_payload),
    }
    kept = [bytes(SIZE) for _ in range(29)]
    held = list(kept)
    pages = {name: [truth.page_of(id(x)) for x in items] for name, (items, _) in sets.items()}
    pages["dec"] = [truth.page_of(id(x)) for x in kept]
    every = [page for some in pages.values() for page in some]
    assert len(set(every)) == len(every), "two objects share a page"
    before = {name: truth.frames(some) for name, some in pages.items()}
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
