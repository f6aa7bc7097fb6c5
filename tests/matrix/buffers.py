# SPDX-License-Identifier: MIT
"""Raw memory: written byte by byte, in bulk, and by the kernel for a system call."""
import array
import mmap
import os

import place
import truth

PAGE = truth.PAGE


def set_bytes(numbers, data):
    for i in numbers:
        data[i] = 1  # line: bytearray


def set_doubles(numbers, data):
    for i in numbers:
        data[i] = 1.5  # line: array


def copy_slice(start, end, data, source):
    data[start:end] = source  # line: bulk


def set_mapped(numbers, data):
    for i in numbers:
        data[i] = 1  # line: mmap


def read_into(fd, views):
    os.readv(fd, views)  # line: readv


def one_by_one(name, count, data, size, write):
    """The first page is left to what stands in front of the data."""
    numbers = [PAGE // size * (i + 1) for i in range(count)]
    write([0], data)
    place.cell(name, lambda: write(numbers, data), expected=count)


def bulk():
    data, source = bytearray(PAGE * 40), bytearray(PAGE * 28)
    copy_slice(0, 8, data, bytearray(8))
    # From the middle of a page to the middle of the 29th.
    start = PAGE + 1000
    place.cell(
        "buffer bulk", lambda: copy_slice(start, start + PAGE * 28, data, source), expected=29
    )


def mapped():
    data = mmap.mmap(-1, PAGE * 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    data[:] = bytes(PAGE * 20)
    one_by_one("buffer mmap", 17, data, 1, set_mapped)


def kernel():
    data = bytearray(PAGE * 20)
    views = [memoryview(data)[PAGE + 1000 : PAGE * 13 + 1000]]
    here, there = os.pipe()
    os.write(there, bytes(PAGE * 12))
    place.cell("kernel-write", lambda: read_into(here, views), expected=13)


place.main(
    lambda: one_by_one("buffer bytearray", 31, bytearray(PAGE * 40), 1, set_bytes),
    lambda: one_by_one("buffer array", 23, array.array("d", bytes(PAGE * 40)), 8, set_doubles),
    bulk,
    mapped,
    kernel,
)
