# SPDX-License-Identifier: MIT
"""Writes to shared pages by threads that have given up the GIL, while the main thread runs Python: by the
kernel into a buffer (readv), and by C code (memset, through ctypes, where there is ctypes). Each thread is at
a depth of its own, so that no two stacks are the same. Prints what Python says of each of them.
"""
import gc
import os
import sys
import threading
import time

import truth
import witnessed
from witnessed import seen

COUNT = 7


SIZE, MIDDLE = 5 * truth.PAGE, 2 * truth.PAGE


def buffers(count):
    """bytearrays with a page in the middle that is theirs alone."""
    return [bytearray(b"y" * SIZE) for _ in range(count)]


def read_into(depth, name, fd, buffer):
    if depth:
        return read_into(depth - 1, name, fd, buffer)
    return (seen(name), os.readv(fd, [buffer]))


def set_in_c(depth, name, memset, address):
    if depth:
        return set_in_c(depth - 1, name, memset, address)
    return (seen(name), memset(address, 1, 1))


def spin(end):
    while time.monotonic() < end:
        sum(range(100))


def run(pages, ctypes):
    pipes = [os.pipe() for _ in range(COUNT)]
    threads = [threading.Thread(target=read_into, args=(i, "readv_%d" % i, pipes[i][0],
                                                        memoryview(pages[i])[MIDDLE:MIDDLE + 1])) for i in range(COUNT)]
    if ctypes:
        for i in range(COUNT, 2 * COUNT):
            address = ctypes.addressof(ctypes.c_char.from_buffer(pages[i])) + MIDDLE
            threads.append(threading.Thread(target=set_in_c, args=(i, "memset_%d" % (i - COUNT),
                                                                   ctypes.memset, address)))
    for thread in threads:
        thread.start()
    for _, fd in pipes:
        spin(time.monotonic() + 0.002)
        os.write(fd, b"x")
    spin(time.monotonic() + 0.002)
    for thread in threads:
        thread.join()


def main():
    gc.disable()
    truth.own_mappings()
    pages = buffers(2 * COUNT)
    try:
        import ctypes
    except ImportError:
        ctypes = None

    def work():
        sys.setswitchinterval(0.0001)
        run(pages, ctypes)
        witnessed.tell()
        return {"count": COUNT, "ctypes": bool(ctypes)}

    truth.child(work)


main()
