# SPDX-License-Identifier: MIT
"""Code that exists in no file: exec of a string, a lambda, a comprehension, a generator."""
import gc

import truth


def main():
    gc.disable()
    truth.own_mappings()
    space = {}
    exec("\n\n\ndef from_string(items):\n    for item in items:\n        pass\n", space)
    readers = {
        "string": space["from_string"],
        "lambda": lambda items: max(items, key=len),  # line: lambda
        "generator": lambda items: sum(1 for _ in items),  # line: generator
    }
    items = {"string": 7, "lambda": 5, "generator": 11}
    items = {key: truth.make(n, lambda i: bytes(200_000 + i)) for key, n in items.items()}
    pages = truth.alone([x for some in items.values() for x in some])
    before = truth.frames(pages)

    def work():
        for key, read in readers.items():
            read(items[key])
        return {"expected": len(pages), "changed": truth.changed(before, pages)}

    truth.child(work)


main()
