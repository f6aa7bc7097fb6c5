# SPDX-License-Identifier: MIT
"""Versions: of a type, given at the first look-up of an attribute, and of the keys of a dict (3.11 and later),
given when a look-up in it is specialized."""
import sys

import place


class Meta(type):
    pass


def look_up(items):
    for item in items:
        item.attribute  # line: type version


def type_versions():
    # A type holds what describes its slots: this makes it larger than a page.
    slots = ["slot_%d" % i for i in range(200)]
    types = [Meta("Type%d" % i, (), {"attribute": i, "__slots__": slots}) for i in range(100)]
    # The flags (168), the version (384) and what counts versions (410; free-threaded builds: 16 more)
    chosen, pages = place.choose(types, 23, (168, 428))
    items = [t() for t in chosen]
    look_up([])
    place.cell("lazy-cache type version", lambda: look_up(items), pages)


def run(functions):
    for function in functions:
        for _ in range(300):
            function()


def keys_versions():
    """19 functions, each with globals of its own, the keys of which are a mapping of 100 kB."""
    code = compile("def load():\n    return name_7  # LOAD_GLOBAL\n", "/generated/keys.py", "exec")
    functions = []
    for _ in range(19):
        space = {"name_%d" % i: i for i in range(4000)}
        exec(code, space)
        # A code object of its own, else only the first of these is specialized.
        functions.append(type(space["load"])(space["load"].__code__.replace(), space))
    place.cell("lazy-cache dict keys version", lambda: run(functions), expected=19)


cells = [type_versions]
if sys.version_info >= ((3, 14) if place.FREE_THREADED else (3, 11)):
    cells.append(keys_versions)
place.main(*cells)
