# SPDX-License-Identifier: MIT
"""What a library writes: its variables, and the stack of the thread. argv: the library."""
import ctypes
import sys

import place

library = ctypes.CDLL(sys.argv[1])


def set_data(value):
    library.matrix_data(value)  # line: data


def set_bss(value):
    library.matrix_bss(value)  # line: bss


def use_stack(value):
    library.matrix_stack(value)  # line: stack


def measure(name, count, write, touch=None):
    (touch or write)(1)  # in the parent
    place.cell(name, lambda: write(2), expected=count)


place.main(
    lambda: measure("native-data .data", 43, set_data),
    lambda: measure("native-data .bss", 47, set_bss),
    lambda: measure("stack native", 19, use_stack, library.matrix_touch_stack),
)
