# SPDX-License-Identifier: MIT
"""A function whose bytecode, of some 150 kB, is alone on its pages, not called before the fork: the
child's calls fill its inline caches. All pages but the first hold bytecode only. Up to 3.10 the bytecode is
a bytes object, which is not written to."""
import gc
import sys

import truth

PAGES = 37
HAS_CACHES = sys.version_info >= (3, 11)


def build():
    """A function whose bytecode ends in the middle of its page number PAGES (from 0)."""
    statements = 15_000
    while True:
        # Kept until the end, so that the next one does not get the same place.
        space = {}
        truth.MISFITS.append(space)
        source = "def cached(x):\n" + "    x + x\n" * statements
        exec(compile(source, "/generated/cached.py", "exec"), space)
        code = space["cached"].__code__
        code = code if HAS_CACHES else code.co_code
        if not truth.begins_mapping(code):
            continue  # not at the start of a mapping
        end = id(code) + code.__sizeof__()
        last = truth.page_of(id(code)) + PAGES
        if truth.page_of(end) == last and 1000 < end % truth.PAGE < 3500:
            return space["cached"], truth.alone([code])[0]
        statements += (last * truth.PAGE + 2000 - end) // (10 if HAS_CACHES else 8) or 1


def warm_up(function):
    for _ in range(30):  # more than any version needs to specialize
        function(1)


def main():
    gc.disable()
    truth.own_mappings()
    function, first = build()
    pages = list(range(first + 1, first + 1 + PAGES))
    before = truth.frames(pages)

    def work():
        warm_up(function)
        return {"expected": PAGES if HAS_CACHES else 0, "changed": truth.changed(before, pages)}

    truth.child(work)


main()
