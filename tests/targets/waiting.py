# SPDX-License-Identifier: MIT
"""A service that waits for a tracer: a master with data, and workers that read it when they are told.

waiting.py [WORKERS]: prints {"pid", "workers"}. Each line "go N" makes every worker read N more objects of
each of two types, each alone on its page, and is answered by how many of their pages have changed; "fork"
adds a worker. It ends with its input.
"""
import gc
import os
import sys

import truth

SIZE = 200_000
EACH = 60
WORKERS = int(sys.argv[1]) if len(sys.argv) > 1 else 3


class Payload(bytes):
    pass


def read_bytes(items, start, end):
    for i in range(start, end):
        items[i]  # line: bytes


def read_payload(items, start, end):
    for i in range(start, end):
        items[i]  # line: Payload


class Service:
    def __init__(self):
        self.bytes = truth.make(EACH, lambda i: bytes(SIZE))
        self.payloads = truth.make(EACH, lambda i: Payload(SIZE))
        self.pages = [truth.alone(self.bytes), truth.alone(self.payloads)]
        self.workers = []

    def work(self, orders, answers):
        done = 0
        while True:
            order = os.read(orders, 16)
            if not order:
                os._exit(0)
            end = min(EACH, done + int(order))
            pages = self.pages[0][done:end] + self.pages[1][done:end]
            before = truth.frames(pages)
            read_bytes(self.bytes, done, end)
            read_payload(self.payloads, done, end)
            os.write(answers, b"%16d" % truth.changed(before, pages))
            done = end

    def fork(self):
        orders, to_worker = os.pipe()
        from_worker, answers = os.pipe()
        pid = os.fork()
        if pid == 0:
            for _, other, _ in [*self.workers, (0, to_worker, 0)]:
                os.close(other)  # else it would never see the end
            self.work(orders, answers)
        os.close(orders)
        os.close(answers)
        self.workers.append((pid, to_worker, from_worker))

    def go(self, n):
        for _, to_worker, _ in self.workers:
            os.write(to_worker, b"%d" % n)
        return sum(int(os.read(from_worker, 16)) for _, _, from_worker in self.workers)


def main():
    gc.disable()
    truth.own_mappings()
    service = Service()
    for _ in range(WORKERS):
        service.fork()
    truth.say(pid=os.getpid(), workers=[pid for pid, _, _ in service.workers])
    for line in sys.stdin:
        changed = 0
        if line.startswith("go"):
            changed = service.go(int(line.split()[1]))
        else:
            service.fork()
        truth.say(changed=changed, workers=[pid for pid, _, _ in service.workers])


main()
