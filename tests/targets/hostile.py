# SPDX-License-Identifier: MIT
"""Names that a terminal, JSON or a folded line must not get as they are: functions, files and types.
Each function reads 3 objects of its own, each alone on its pages, in the child.

hostile.py prints the names (JSON) that it used.
"""
import gc

import truth

ESC, NUL, BELL, CSI = "\x1b", "\0", "\a", "\x9b"
NAMES = {
    "escape": ESC + "[31mred" + ESC + "]0;title" + BELL,
    "c1": CSI + "2Jclear",
    "quotes": "quo\"te'd\\back",
    "newline": "two\nlines\r\nthree",
    "semicolon": "a;b;c 12345",
    "nul": "nul" + NUL + "tail",
    "huge": "x" * 100_000,
    "surrogate": "lone\udcff\ud800end",
    "bidi": "\u202egnp.exe\u2066\u200b",
    "astral": "\U0001f40d\U0010ffff",
    "markup": "<script>&amp;</script>",
    "empty": "",
    "kind2": "\u0107\u0444\u4e2d",
}


def template(items):
    for item in items:
        pass


def make(name):
    code = template.__code__
    names = {"co_name": name, "co_filename": "/hostile/" + name + ".py"}
    if hasattr(code, "co_qualname"):  # 3.11+
        names["co_qualname"] = name
    new = code.replace(**names)
    return type(template)(new, {"__builtins__": __builtins__}, "plain")


def make_type(name):
    kind = type("Plain", (bytes,), {})
    try:
        kind.__name__ = name
    except (ValueError, UnicodeError):  # NUL and lone surrogates are refused for types
        kind.__name__ = "refused"
    return kind


def main():
    gc.disable()
    truth.own_mappings()
    functions = {key: make(name) for key, name in NAMES.items()}
    items = {key: truth.make(3, lambda i, name=name: make_type(name)(200_000)) for key, name in NAMES.items()}
    pages = truth.alone([x for some in items.values() for x in some])
    before = truth.frames(pages)

    def work():
        for key, function in functions.items():
            function(items[key])
        return {"expected": 3 * len(NAMES), "names": NAMES, "changed": truth.changed(before, pages)}

    truth.child(work)


main()
