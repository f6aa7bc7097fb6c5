# SPDX-License-Identifier: MIT
"""A heap of which one object on each page can be referred to: each of them is then one copy. For any CPython from 3.8 on."""
import array
import os
import struct

PAGE = 4096
PER_PAGE = 128  # ints of 32 bytes
HOLES = 256  # pages: the first ints fill up what lies between other objects


def one_on_each_page(n):
    """Of ints that lie in the order in which they were made, the first on each of n pages; and all of them, to be kept."""
    ints = list(range(1000, 1000 + (HOLES + n + 1) * PER_PAGE))
    found, last = [], 0
    for number in ints:
        page = id(number) // PAGE
        if page != last:
            found.append(number)
            last = page
    return found[HOLES : HOLES + n], ints


def pages_of(objects):
    """So that no object has to be touched when their pages are looked for."""
    return array.array("Q", [id(o) // PAGE for o in objects])


def frames(pages):
    """Where each page lies in the memory of the machine."""
    pagemap = os.open("/proc/self/pagemap", os.O_RDONLY)
    found = [struct.unpack("Q", os.pread(pagemap, 8, page * 8))[0] & (1 << 55) - 1 for page in pages]
    os.close(pagemap)
    return found
