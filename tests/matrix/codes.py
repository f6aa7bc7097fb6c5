# SPDX-License-Identifier: MIT
"""Code objects that the child is the first to run: inline caches, counters, and what 3.10 keeps in them."""
import builtins
import sys

import place
import truth

PAGES = 37


def build():
    """A function whose code object ends in the middle of its page number PAGES (from 0)."""
    statements = 15_000
    while True:
        # Kept until the end, so that the next one does not get the same place.
        space = {}
        truth.MISFITS.append(space)
        source = "def cached(x):\n" + "    x + x\n" * statements
        exec(compile(source, "/generated/cached.py", "exec"), space)
        code = space["cached"].__code__
        if not truth.begins_mapping(code):
            continue  # not at the start of a mapping
        end = id(code) + code.__sizeof__()
        last = truth.page_of(id(code)) + PAGES
        if truth.page_of(end) == last and 1000 < end % truth.PAGE < 3500:
            return space["cached"], truth.page_of(id(code))
        statements += (last * truth.PAGE + 2000 - end) // 10 or 1


def run(function):
    for _ in range(30):  # more than any version needs to specialize
        function(1)


def inline_caches():
    function, first = build()
    place.cell("inline-cache", lambda: run(function), list(range(first + 1, first + 1 + PAGES)))


def call(chosen):
    for function in chosen:
        function(1)  # line: call


def first_call(name, count, statements, hit):
    """Copies of one function, with code objects that have their reference count on another page than hit."""
    space = {}
    source = "def first(x):\n" + "    x = x\n" * statements
    exec(compile(source, "/generated/first.py", "exec"), space)
    code = space["first"].__code__
    # Made before the code objects, so that none of them lies between these: they are written to as well.
    chosen = [type(first_call)(code, space) for _ in range(count)]
    codes, pages = place.choose([code.replace() for _ in range(4000)], count, hit, place.REFS,
                                [space, code, vars(builtins), globals(), *chosen])
    # Uses up what is free between them, before it gets other things.
    place.keep([bytes(size) for size in range(16, 640, 16) for _ in range(300)])
    for function, own in zip(chosen, codes):
        function.__code__ = own
    call([])
    # Each keeps its frame then (up to 3.10): the child does not have to allocate any.
    call(chosen)
    place.cell(name, lambda: call(chosen), pages)


def warmup():
    first_call("inline-cache warmup", 19, 300, (52, 54))


def code_fields():
    first_call("lazy-cache code", 11, 3, (80, 144))


cells = []
if sys.version_info >= ((3, 14) if place.FREE_THREADED else (3, 11)):
    cells.append(inline_caches)
if sys.version_info[:2] == (3, 11):
    cells.append(warmup)
if sys.version_info < (3, 11):
    cells.append(code_fields)
place.main(*cells, by_malloc=sys.version_info < (3, 11))
