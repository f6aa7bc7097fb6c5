# SPDX-License-Identifier: MIT
"""Stands still in all kinds of calls and says where, for record.c. Python 3.8 and later.

No frame may be of a file whose name tells of this machine: so it runs itself under a name of its own.
"""
import os
import sys

if sys.argv[0] != "-c":
    SELF = "import sys; f = open(sys.argv[1], 'rb'); s = f.read(); f.close(); exec(compile(s, 'target.py', 'exec'))"
    os.execv(sys.executable, [sys.executable, "-I", "-c", SELF, os.path.abspath(__file__)])

import _thread  # noqa: E402
import time  # noqa: E402

TEXT = "\n\nfor number in [7]:\n    after = 'not yet'\n    assert number, \\\n        after\n    deeper()\n"
GATE = _thread.allocate_lock()


def emit(*what):
    os.write(1, " ".join(str(part) for part in what).encode() + b"\n")


def emit_stack(ident, frame, line):
    """All frames of a thread, innermost first; line: where that one will be."""
    emit("thread", ident)
    while frame:
        code = frame.f_code
        emit("frame", line or frame.f_lineno, code.co_filename, getattr(code, "co_qualname", code.co_name))
        frame = frame.f_back
        line = None


# --- other threads


class Waiter:
    def wait(self, gate):
        for lock in (each for each in [gate]):
            with lock:
                pass

    @classmethod
    def begin(cls, gate):
        return [cls().wait(g) for g in (gate,)]


def sleeper(depth):
    if depth:
        return sleeper(
            depth - 1
        )
    time.sleep(3600)


def blocked():
    """When both threads are where they will stay."""
    GATE.acquire()
    threads = [_thread.start_new_thread(Waiter.begin, (GATE,)), _thread.start_new_thread(sleeper, (30,))]
    names = set()
    while names != {"wait", "sleeper"}:
        frames = sys._current_frames()
        names = {frames[ident].f_code.co_name for ident in threads if ident in frames}
    time.sleep(0.3)
    return threads


# --- the main thread, from the innermost call outwards


def leaf():
    threads = blocked()
    frames = sys._current_frames()
    for ident in threads:
        emit_stack(ident, frames[ident], None)
    emit_stack(_thread.get_ident(), sys._getframe(), sys._getframe().f_lineno + 2)
    emit("ready")
    os.read(0, 1)
    os._exit(0)


def größe():
    leaf()


def имя_функции():
    try:
        größe()
    finally:
        time.sleep(0)


class Managed:
    def __enter__(self):
        имя_функции()

    def __exit__(self, *what):
        return False


class Made:
    def __init__(self, what):
        self.what = what
        with Managed() as self.managed:
            pass


async def coroutine():
    return Made(
        what=1,
    )


def generator():
    yield 1
    coroutine().send(None)
    yield 2


def body():
    class Body:
        value = list(generator())

    return Body


def local():
    def inner(word):
        return exec(TEXT, {"deeper": body, "word": word})

    return inner


class Tree:
    @staticmethod
    def order(item):
        return [local()(item) for _ in "a"]

    def walk(self, depth):
        if depth == 0:
            return sorted([3, 1], key=lambda item: Tree.order(item))
        return self.walk(
            depth - 1)

    @property
    def all(self):
        return {key: self.walk(40) for key in (1,)}


print(Tree().all)
