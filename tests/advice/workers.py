# SPDX-License-Identifier: MIT
"""What the pairs of programs share. Each is called as PROGRAM before|after: as it is written without thinking of it,
and as it is after following the advice; both do the same work, and say so by its result."""
import json
import os
import sys
import time

AFTER = sys.argv[1:] == ["after"]
WORKERS = 3


def say(result):
    """With STAY seconds in the environment a worker stays so long: its memory is looked at every now and then."""
    time.sleep(float(os.environ.get("STAY", 0)))
    os.write(1, json.dumps({"pid": os.getpid(), "result": result}).encode() + b"\n")


def fork(work, leave=os._exit):
    """Forks all workers, then lets each do work(), so that all begin with the same pages. A worker ends with
    leave(0); os._exit() writes nothing more."""
    ready, go = os.pipe()
    pids = []
    for _ in range(WORKERS):
        pid = os.fork()
        if pid == 0:
            os.close(go)
            os.read(ready, 1)
            say(work())
            leave(0)
        pids.append(pid)
    os.close(ready)
    os.close(go)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in pids)
    sys.stdout.flush()
    os._exit(1 if failed else 0)
