# SPDX-License-Identifier: MIT
"""A list of dicts, or an array for each field."""
import array

import workers

N = 20_000
if workers.AFTER:
    price = array.array("q", (1000 + i for i in range(N)))
    weight = array.array("d", (i / 7 for i in range(N)))
else:
    data = [{"price": 1000 + i, "weight": i / 7} for i in range(N)]


def read_columns():
    return sum(price[i] + int(weight[i]) for i in range(N))


def read_records():
    return sum(item["price"] + int(item["weight"]) for item in data)


workers.fork(read_columns if workers.AFTER else read_records)
