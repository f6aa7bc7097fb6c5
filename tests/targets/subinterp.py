# SPDX-License-Identifier: MIT
"""In the child: sub-interpreters, in the main thread and in others, with their own GIL where there is such a
thing (3.12+), write to memory that the child has from its parent. What they may touch of it without being told
are free blocks of malloc: the parent leaves some, and each leaf function fills a few pages of them.

Prints the stack of each leaf as its own interpreter has it. Needs MALLOC_ARENA_MAX=1: threads, too, get those blocks.
"""
import gc
import sys
import threading

import truth
import witnessed
from witnessed import OBJ, hit, seen

# Up to 3.12 an interpreter ends with its last identifier, and frees its memory. None of them does here.
ALIVE = []
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
    return leaf_TAG(n - 1) if n else (told(sys._getframe()), KEPT.extend(map(b"x".__mul__, [SIZE] * 40)))

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


# Up to 3.12 an interpreter keeps the thread state that it was made with, whoever runs it. Who that is can be told
# from 3.11 on, where the state points to the C stack in use.
CAN_MOVE = sys.version_info >= (3, 11)


def together(functions):
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run_all():
    makers, run = interpreters()
    leaves = []

    def made(make):
        ALIVE.append(make())
        return ALIVE[-1]

    def run_leaf(number, tag, depth, text=SOURCE):
        leaves.append("leaf_" + tag)
        run(number, source(text, tag, depth))
    for i, make in enumerate(makers):
        number = made(make)
        hit("before_%d" % i)
        run_leaf(number, "main%d" % i, 3)
        (seen("after_%d" % i), OBJ["after_%d" % i])
        threaded = i or not (3, 9) <= sys.version_info < (3, 12)
        run_leaf(made(make), "threaded%d" % i, 5, THREADED if threaded else SOURCE)
        together(lambda n=n: run_leaf(made(make), "thread%d_%d" % (i, n), 7 + n) for n in range(3))
        if CAN_MOVE:
            numbers = [made(make) for _ in range(3)]
            for n in range(3):
                together([lambda: run_leaf(numbers[n], "moved%d_%d" % (i, n), 7 + n)])
    return leaves


def free_blocks(count):
    """Free memory in malloc's heap: every second block stays, so that nothing goes back to the kernel."""
    blocks = [b"y" * BLOCK for _ in range(2 * count)]
    return blocks[1::2]


def main():
    gc.disable()
    truth.own_mappings()
    witnessed.prepare(["before_0", "before_1", "after_0", "after_1"])
    kept = free_blocks(1200)

    def work():
        leaves = run_all()
        witnessed.tell()
        return {"leaves": leaves}

    truth.child(work)
    del kept


main()
