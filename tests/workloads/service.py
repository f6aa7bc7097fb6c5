# SPDX-License-Identifier: MIT
"""What the realistic workloads share: a master loads its data, forks four workers, and each serves
requests that only read it. Runs on CPython 3.8 and later.

    WORKLOAD.py [--gc default|freeze|disable] [--numpy] [--workers N] [--requests N]

freeze: gc.freeze() right before the fork; disable: gc.disable() there. Each worker prints one line of JSON.
The answers depend on nothing but the workload: they are equal on every version and with every gc.
"""
import argparse
import gc
import json
import os
import sys
import time
import zlib

WORKERS = 4
CACHED = 64


class Array:
    """Numbers beside the objects: 16 MiB of float64, of which a request reads some."""

    ROWS, COLUMNS = 262144, 8

    def __init__(self):
        import numpy

        size = self.ROWS * self.COLUMNS
        self.values = (numpy.arange(size, dtype=numpy.float64) % 1009).reshape(self.ROWS, self.COLUMNS)
        self.weights = numpy.linspace(0.5, 4.0, self.COLUMNS)

    def request(self, number):
        """One vectorised pass over a slice, and elements one by one."""
        first = number * 4099 % (self.ROWS - 20000)
        total = float((self.values[first:first + 20000] @ self.weights).sum())
        for row in range(first, first + 20000, 97):
            total += float(self.values[row, number % self.COLUMNS])
        return int(total)


def say(**facts):
    os.write(1, (json.dumps(facts) + "\n").encode())


def work(app, array, requests):
    """All requests; a number that stands for all the answers. The latest answers stay in a cache, as in many
    services: the worker's own objects grow, so that its garbage collector has something to do."""
    answer = 0
    cache = {}
    for number in range(requests):
        cache[number % CACHED] = app.request(number)
        answer = zlib.crc32(repr(cache[number % CACHED]).encode(), answer)
        if array is not None:
            answer = zlib.crc32(str(array.request(number)).encode(), answer)
    return answer


def collections():
    return [generation["collections"] for generation in gc.get_stats()]


def worker(app, array, requests, ready):
    os.read(ready, 1)
    before = collections()
    answer = work(app, array, requests)
    ran = [after - old for after, old in zip(collections(), before)]
    say(pid=os.getpid(), answer=answer, collections=ran)


def prepare_gc(how):
    if how == "freeze":
        gc.freeze()
    elif how == "disable":
        gc.disable()


def fork_workers(options, app, array):
    """All are forked before the first one works: each page that a worker writes is shared then."""
    ready, go = os.pipe()
    pids = []
    for _ in range(options.workers):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(go)
                worker(app, array, options.requests, ready)
                status = 0
            finally:
                # Like multiprocessing: a worker runs none of the master's exit handlers.
                os._exit(status)
        pids.append(pid)
    os.close(ready)
    os.close(go)
    return sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)


def main(make, requests):
    """make() loads the data; its request(number) answers one request; its close(), if any, tidies up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--gc", choices=("default", "freeze", "disable"), default="default")
    parser.add_argument("--numpy", action="store_true")
    parser.add_argument("--workers", type=int, default=WORKERS)
    parser.add_argument("--requests", type=int, default=requests)
    options = parser.parse_args()
    app = make()
    array = Array() if options.numpy else None
    say(master=os.getpid(), python="%d.%d.%d" % sys.version_info[:3], modules=modules())
    prepare_gc(options.gc)
    failed = fork_workers(options, app, array)
    # As masters do, it stays for a while: what its workers wrote to can be read there.
    time.sleep(0.5)
    if hasattr(app, "close"):
        app.close()
    # The master's data is not taken apart: that would be a finalisation of its own.
    os._exit(1 if failed else 0)


def modules():
    """Versions of what does not come with Python."""
    found = {}
    for name in ("numpy", "pandas", "jinja2", "flask", "werkzeug"):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version:
            found[name] = version
    return found
