# SPDX-License-Identifier: MIT
"""multiprocessing with the start method spawn, or fork."""
import multiprocessing
import os

import workers

data = bytes(range(256)) * (24 << 20 >> 8)


def work(go):
    go.wait()
    workers.say(data.count(b"\n"))
    os._exit(0)  # as it is: a program that ends takes its memory apart before it is looked at


if __name__ == "__main__":
    context = multiprocessing.get_context("fork" if workers.AFTER else "spawn")
    go = context.Event()
    processes = [context.Process(target=work, args=(go,)) for _ in range(workers.WORKERS)]
    for process in processes:
        process.start()
    go.set()
    for process in processes:
        process.join()
    os._exit(0)
