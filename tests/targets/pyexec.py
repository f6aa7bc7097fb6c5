# SPDX-License-Identifier: MIT
"""pyexec.py COMMAND...: a Python child reads 23 objects, then becomes another program."""
import gc
import os
import sys

import truth


def read(items):
    for item in items:  # line: read
        pass


def main():
    gc.disable()
    truth.own_mappings()
    items = truth.make(23, lambda i: bytes(200_000))
    truth.alone(items)
    pid = os.fork()
    if pid == 0:
        read(items)
        os.execvp(sys.argv[1], sys.argv[1:])
    _, status = os.waitpid(pid, 0)
    truth.say(expected=23, changed=23, status=status)
    truth.linger()


main()
