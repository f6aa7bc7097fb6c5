# SPDX-License-Identifier: MIT
"""A list of numbers, or an array of them."""
import array

import workers

N = 200_000
if workers.AFTER:
    data = array.array("q", range(1000, 1000 + N))
else:
    data = list(range(1000, 1000 + N))


def work():
    total = 0
    for number in data:
        total += number
    return total


workers.fork(work)
