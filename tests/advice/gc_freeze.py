# SPDX-License-Identifier: MIT
"""The workers collect garbage, and what the parent built was frozen, or not."""
import gc

import workers

gc.disable()
data = [[i] for i in range(100_000)]
if workers.AFTER:
    gc.freeze()


def work():
    return gc.collect()


workers.fork(work)
