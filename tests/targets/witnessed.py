# SPDX-License-Identifier: MIT
"""For targets whose stacks are compared frame by frame: objects that are alone on their first page, each of
a type of its own, and the stack as Python itself has it at the moment one of them is read.

A case reads its object in the expression `(seen("name"), OBJ["name"])`, on one line: seen() notes the stack
of its caller, and the very next thing is the first write to the object's page.
"""
import json
import os
import sys

import truth

OBJ = {}
NOTED = []
# Large enough for a mapping of its own: see truth.own_mappings().
SIZE = 70_000


def prepare(names):
    """Before the fork: one object for each name, of type T_<name>. Gives cowtrace, on a busy machine, the time
    to find the Python of a program that has just begun: copies made before that have no stack."""
    for name in names:
        kind = type("T_" + name, (bytes,), {"__slots__": ()})
        OBJ[name] = truth.make(1, lambda _i, kind=kind: kind(SIZE))[0]
    truth.alone(OBJ.values())
    truth.linger()


def frames_of(frame):
    """Leaf first: file, line and name of each frame."""
    out = []
    while frame is not None:
        code = frame.f_code
        out.append([code.co_filename, frame.f_lineno, getattr(code, "co_qualname", code.co_name)])
        frame = frame.f_back
    return out


def seen(name, depth=1):
    """Notes the stack of the caller."""
    NOTED.append([name, frames_of(sys._getframe(depth))])


def told(name, depth=1):
    """The same, printed at once: keeps no name alive."""
    _say({"pid": os.getpid(), "case": name, "frames": frames_of(sys._getframe(depth))})


def hit(name, result=None):
    """For callers that are called from C: this frame is the leaf."""
    return (seen(name), OBJ[name], result)[2]


def tell(skipped=()):
    """After all cases, in the process that ran them: what was noted, a line of JSON for each."""
    pid = os.getpid()
    for name, frames in NOTED:
        _say({"pid": pid, "case": name, "frames": frames})
    for name, why in skipped:
        _say({"pid": pid, "skipped": name, "why": why})


def _say(row):
    data = (json.dumps(row) + "\n").encode()
    while data:
        data = data[os.write(1, data):]
