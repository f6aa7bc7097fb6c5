# SPDX-License-Identifier: MIT
"""The workers make so many objects that the collector runs of itself, or not yet."""
import gc

import workers

gc.set_threshold(700, 10, 10)  # the default up to 3.12
data = [[i] for i in range(200_000)]
gc.collect()


def work():
    if workers.AFTER:
        gc.set_threshold(100_000, 50, 100)
    kept = []
    for i in range(100_000):
        kept.append([i])
    return len(kept)


workers.fork(work)
