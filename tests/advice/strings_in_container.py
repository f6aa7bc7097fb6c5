# SPDX-License-Identifier: MIT
"""A list of strings, or one piece of bytes and where each begins in it."""
import array

import workers

N = 60_000


def texts():
    return (f"text number {i}, as it came" for i in range(N))


if workers.AFTER:
    blob = b"".join(text.encode() for text in texts())
    starts = array.array("q", [0])
    for text in texts():
        starts.append(starts[-1] + len(text.encode()))
else:
    data = list(texts())


def read_blob():
    size = 0
    for i in range(N):
        text = blob[starts[i]:starts[i + 1]].decode()
        size += len(text)
    return size


def read_list():
    size = 0
    for text in data:
        size += len(text)
    return size


workers.fork(read_blob if workers.AFTER else read_list)
