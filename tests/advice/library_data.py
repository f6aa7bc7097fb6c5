# SPDX-License-Identifier: MIT
"""A library that fills its tables when it is first called: by a worker, or by the parent. library_data.py
before|after takes the library from $LIBRARY."""
import ctypes
import os

import workers

library = ctypes.CDLL(os.environ["LIBRARY"])
version, look_up = library.tables_version, library.tables_look_up


def work(function):
    return function(77)


work(version)  # the way into libraries itself is not what this is about
if workers.AFTER:
    work(look_up)
workers.fork(lambda: work(look_up))
