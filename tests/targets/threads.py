# SPDX-License-Identifier: MIT
"""In the child, at the same time: the main thread reads 23 objects, a Python thread writes 61 shared
pages in C with the GIL released, and a C thread that runs no Python writes 59.

threads.py LIBRARY (build/targets/touch.so)
"""
import ctypes
import gc
import mmap
import os
import sys
import threading

import truth

lib = ctypes.CDLL(sys.argv[1])
lib.touch_pages.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
lib.touch_start.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def shared_pages(count):
    """Anonymous private memory with every page touched; its address."""
    memory = mmap.mmap(-1, count * truth.PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for i in range(count):
        memory[i * truth.PAGE] = 1
    return memory, ctypes.addressof(ctypes.c_char.from_buffer(memory))


def read_objects(items):
    for item in items:  # line: main
        pass


def released(address, count, start):
    start.wait()
    lib.touch_pages(address, count)  # line: released


def main():
    gc.disable()
    truth.own_mappings()
    items = truth.make(23, lambda i: bytes(200_000))
    python_memory, python_address = shared_pages(61)
    native_memory, native_address = shared_pages(59)
    pages = truth.alone(items)
    pages += [truth.page_of(python_address) + i for i in range(61)]
    pages += [truth.page_of(native_address) + i for i in range(59)]
    before = truth.frames(pages)

    def work():
        start = threading.Event()
        thread = threading.Thread(target=released, args=(python_address, 61, start))
        thread.start()
        start.set()
        lib.touch_start(native_address, 59)
        read_objects(items)
        thread.join()
        lib.touch_join()
        return {"expected": 23 + 61 + 59, "changed": truth.changed(before, pages)}

    truth.child(work)
    del python_memory, native_memory


main()
