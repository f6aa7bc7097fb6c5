# SPDX-License-Identifier: MIT
"""Workers without a framework: forked.py KIND ITEMS WORKERS [OPTION...].

Options: freeze-before, collect-freeze-before, freeze-after, disable-after (the garbage collector), warm (the parent does
once what the workers will do), fork, forkserver, spawn (multiprocessing with that start method; else os.fork()).

Says {"workers": [PID...]} when all are there, and waits for a line; then each does its work, and it says {"done": true}. At
the end of its input it ends, and so do the workers, without taking Python apart."""
import gc
import json
import multiprocessing
import os
import sys

import data

KIND, ITEMS, WORKERS, OPTIONS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), set(sys.argv[4:])
# With spawn and forkserver this module is imported anew: each process makes its own.
held = data.make(KIND, ITEMS)


def say(**words):
    os.write(1, json.dumps(words).encode() + b"\n")


def work(ready, go, done, end):
    os.write(ready, b".")
    os.read(go, 1)
    if "freeze-after" in OPTIONS:
        gc.freeze()
    if "disable-after" in OPTIONS:
        gc.disable()
    data.access(KIND, held, "read")
    os.write(done, b".")
    os.read(end, 1)
    os._exit(0)


def work_through(pipe):
    """For processes that do not inherit descriptors."""
    pipe.send(".")
    pipe.recv()
    data.access(KIND, held, "read")
    pipe.send(".")
    pipe.recv()
    os._exit(0)


def before_the_fork():
    if "warm" in OPTIONS:
        data.access(KIND, held, "read")
    if "collect-freeze-before" in OPTIONS:
        gc.collect()
    if OPTIONS & {"freeze-before", "collect-freeze-before"}:
        gc.freeze()


def with_fork():
    # A pipe of its own for the end: else a worker that is done takes what lets another one go.
    ready, go, done, end = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    pids = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            work(ready[1], go[0], done[1], end[0])
        pids.append(pid)

    def wait(pipe):
        for _ in pids:
            os.read(pipe[0], 1)

    wait(ready)
    every = b"." * WORKERS
    return pids, lambda: os.write(go[1], every), lambda: wait(done), lambda: os.write(end[1], every)


def with_multiprocessing(method):
    context = multiprocessing.get_context(method)
    pipes, processes = [], []
    for _ in range(WORKERS):
        mine, theirs = context.Pipe()
        process = context.Process(target=work_through, args=(theirs,))
        process.start()
        processes.append(process)
        pipes.append(mine)
    for pipe in pipes:
        pipe.recv()
    def tell():
        for pipe in pipes:
            pipe.send(".")

    return [p.pid for p in processes], tell, lambda: [pipe.recv() for pipe in pipes], tell


def main():
    before_the_fork()
    methods = OPTIONS & {"fork", "forkserver", "spawn"}
    pids, go, wait, end = with_multiprocessing(methods.pop()) if methods else with_fork()
    say(workers=pids)
    sys.stdin.readline()
    go()
    wait()
    say(done=True)
    sys.stdin.readline()
    end()
    os._exit(0)


if __name__ == "__main__":
    main()
