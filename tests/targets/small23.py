# SPDX-License-Identifier: MIT
"""The child reads 23 objects, each alone on its page. Asks nothing of /proc, which hides from a process that it
may not look into even what is its own."""
import os

import truth


def read(items):
    for item in items:  # line: read
        pass


def main():
    items = truth.make(23, lambda i: bytes(200_000))
    truth.alone(items)
    truth.linger()
    pid = os.fork()
    if pid == 0:
        read(items)
        os._exit(0)
    os.waitpid(pid, 0)
    truth.linger()


truth.own_mappings()
main()
