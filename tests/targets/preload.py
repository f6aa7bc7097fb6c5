# SPDX-License-Identifier: MIT
"""The article's preload scenario: the list is built before the fork, then each of three workers
loops over it once.

preload.py [ITEMS [WORKERS]]; with TRUTH=1 in the environment each worker also prints, as JSON, how
much its private memory grew.
"""
import os
import sys

ITEMS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
WORKERS = int(sys.argv[2]) if len(sys.argv) > 2 else 3


class BigApp:
    def __init__(self, items):
        self.big_data = [item for item in range(items)]

    def total(self):
        total = 0
        for item in self.big_data:
            total += item
        return total


def work(app, truth):
    before = truth.private_dirty() if truth else 0
    total = app.total()
    if truth:
        truth.say(pid=os.getpid(), total=total, grown=truth.private_dirty() - before)
    else:
        os.write(1, f"worker {os.getpid()} looped over {ITEMS:,} ints: {total:,}\n".encode())


def main():
    truth = None
    if os.environ.get("TRUTH"):
        import truth
    app = BigApp(ITEMS)
    if truth:
        truth.private_dirty()
        truth.say(master=os.getpid(), anonymous=truth.anonymous())
    # All workers are forked before the first one writes: as with gunicorn, and so that each page
    # that a worker writes is one that others still share.
    ready, go = os.pipe()
    workers = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)
            work(app, truth)
            # A worker must not free the list on its way out, nor run the master's exit handlers.
            os._exit(0)
        workers.append(pid)
    os.close(ready)
    os.close(go)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in workers)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
