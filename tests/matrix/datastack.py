# SPDX-License-Identifier: MIT
"""Frames of running functions (3.11 and later: in memory of the thread's own). The parent forks 24 calls deep, the
child returns through them: that writes to the head of each frame and, some pages further, to its value stack.
That of the innermost has its page in common with the frame of bottom(), which writes there first."""
import os

import place
import truth

LOCALS = 2500  # so that two frames do not fit into one chunk of 32 kB
DEPTH = 23

BODY = "def down(n, bottom):\n    if not n:\n        return bottom()\n    x = down(n - 1, bottom)\n    return x\n"


def build():
    names = "".join("    if n is None: local_%d = 0\n" % i for i in range(LOCALS))
    space = {}
    exec(compile(BODY + names, "/generated/datastack.py", "exec"), space)
    return space["down"]


def main():
    down = build()
    down(DEPTH, lambda: None)

    def bottom():
        pid = os.fork()
        if pid:  # does not return, so that only the child writes to the frames
            os.waitpid(pid, 0)
            truth.linger()
            os._exit(0)

    down(DEPTH, bottom)
    truth.say(cell="stack python", changed=None, expected=2 * (DEPTH + 1) - 1)
    os._exit(0)


place.main(main)
