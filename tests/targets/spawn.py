# SPDX-License-Identifier: MIT
"""multiprocessing with spawn: the workers start afresh, so nothing of the list is shared."""
import multiprocessing


def total(items):
    data = [item for item in range(items)]
    return sum(data)


if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        print(pool.map(total, [100_000] * 2))
