# SPDX-License-Identifier: MIT
"""relay.py [PYTHON...]: three known stacks in a child, and the same in the next interpreter, which is a child
of that child: programs of several versions in one tree.
"""
import gc
import platform
import subprocess
import sys

import truth
import witnessed
from witnessed import OBJ, hit, seen

NAMES = ("plain", "sorted", "generator")


def read_all():
    (seen("plain"), OBJ["plain"])
    sorted([1], key=lambda x: hit("sorted", x))
    list((seen("generator"), OBJ["generator"]) for _ in range(1))


def main():
    gc.disable()
    truth.own_mappings()
    witnessed.prepare(NAMES)

    def work():
        read_all()
        if sys.argv[1:]:
            subprocess.check_call([sys.argv[1], sys.argv[0], *sys.argv[2:]])
        witnessed.tell()
        return {"version": platform.python_version()}

    truth.child(work)


main()
