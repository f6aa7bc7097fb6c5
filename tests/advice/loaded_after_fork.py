# SPDX-License-Identifier: MIT
"""Each worker loads the same data, or the parent does."""
import workers

N = 24 << 20


def load():
    return bytes(range(256)) * (N // 256)


data = load() if workers.AFTER else None


def work():
    global data
    data = data or load()
    return data.count(b"\n")


workers.fork(work)
