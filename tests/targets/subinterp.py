# SPDX-License-Identifier: MIT
"""In the child: sub-interpreters, in the main thread and in others, with their own GIL where there is such a
thing (3.12+), write to memory that the child has from its parent. What they may touch of it without being told
are free blocks of malloc: the parent leaves some, and each leaf function fills a few pages of them.

Prints the stack of each leaf as its own interpreter has it. Needs MALLOC_ARENA_MAX=1: threads, too, get those blocks.
"""
import gc
import os
import sys
import threading

import truth
import witnessed
from witnessed import OBJ, hit, seen

BLOCK = 60_000  # below the size from which malloc makes a mapping: see truth.own_mappings()

SOURCE = """
import os, sys

def told(frame):
    out = []
    while frame is not None:
        code = frame.f_code
        out.append([code.co_filename, frame.f_lineno, getattr(code, "co_qualname", code.co_name)])
        frame = frame.f_back
    row = '{"pid": %d, "leaf": "leaf_TAG", "frames": %s}\\n' % (os.getpid(), str(out).replace("'", '"'))
    os.write(1, row.encode())

KEPT = []

def leaf_TAG(n):
    return leaf_TAG(n - 1) if n else (told(sys._getframe()), KEPT.append(b"x" * SIZE))

class Caller:
    def __init__(self, n):
        leaf_TAG(n)

list(map(Caller, [DEPTH]))
"""
THREADED = SOURCE + """
import threading
thread = threading.Thread(target=Caller, args=(DEPTH + 3,))
thread.start()
thread.join()
"""


def source(text, tag, depth):
    return text.replace("TAG", tag).replace("SIZE", str(BLOCK)).replace("DEPTH", str(depth))


def xx(module):
    """3.8 to 3.12. Isolated: without threads up to 3.11, with a GIL of its own in 3.12."""
    kinds = [{"isolated": True}, {"isolated": False}] if sys.version_info >= (3, 9) else [{}]
    return [(lambda kind=kind: module.create(**kind)) for kind in kinds], module.run_string


def modern(module):
    """3.13+: returns what was raised."""
    def run(number, text):
        error = module.run_string(number, text)
        if error:
            raise RuntimeError(str(error))
    return [lambda: module.create("isolated"), lambda: module.create("legacy")], run


def interpreters():
    try:
        import _interpreters
        return modern(_interpreters)
    except ImportError:
        import _xxsubinterpreters
        return xx(_xxsubinterpreters)


def run_all():
    makers, run = interpreters()
    leaves = []

    def prepared(tag, text, depth):
        leaves.append("leaf_" + tag)
        return run, (make(), source(text, tag, depth))
    for number, make in enumerate(makers):
        function, args = prepared("main%d" % number, SOURCE, 3)
        hit("before_%d" % number)
        function(*args)
        (seen("after_%d" % number), OBJ["after_%d" % number])
        threaded = number or not (3, 9) <= sys.version_info < (3, 12)
        function, args = prepared("threaded%d" % number, THREADED if threaded else SOURCE, 5)
        function(*args)
        todo = [prepared("thread%d_%d" % (number, i), SOURCE, 7 + i) for i in range(3)]
        threads = [threading.Thread(target=function, args=args) for function, args in todo]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return leaves


def free_blocks(count):
    """Free memory in the middle of malloc's heap."""
    blocks = [b"y" * BLOCK for _ in range(count)]
    pin = b"y" * 3000
    del blocks
    return pin


def main():
    gc.disable()
    truth.own_mappings()
    witnessed.prepare(["before_0", "before_1", "after_0", "after_1"])
    pin = free_blocks(100)

    def work():
        leaves = run_all()
        witnessed.tell()
        return {"leaves": leaves}

    truth.child(work)
    del pin


main()
