# SPDX-License-Identifier: MIT
"""Workers that end as programs do, or with os._exit()."""
import os
import sys

import workers

data = [[i] for i in range(60_000)]


def work():
    return len(data)


workers.fork(work, os._exit if workers.AFTER else sys.exit)
