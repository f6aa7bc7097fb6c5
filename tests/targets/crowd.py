# SPDX-License-Identifier: MIT
"""crowd.py WORKERS LINES TYPES: so many workers, each of which reads so many objects, each at a line of its own, in a
file of its own; the objects are of so many types, each alone on its page. They do it when it
reads a line, and it says so. It ends, with its workers, at the end of its input."""
import gc
import json
import os
import sys

WORKERS, LINES, TYPES = map(int, sys.argv[1:])


def code(worker):
    """A function whose every line reads one object that others read too, but not many."""
    lines = ["def read(items):"]
    lines += [f"    item = items[{(worker * LINES + line) % TYPES}]" for line in range(LINES)]
    space = {}
    exec(compile("\n".join(lines), f"/srv/shop/page_{worker}.py", "exec"), space)
    return space["read"]


def deeper(n, work, items):
    return deeper(n - 1, work, items) if n else work(items)


gc.disable()
items = [type(f"Type{i}", (bytes,), {"__slots__": ()})(8000) for i in range(TYPES)]
pages = [code(worker) for worker in range(WORKERS)]
to_read, to_write = os.pipe()
done_read, done_write = os.pipe()
end_read, end_write = os.pipe()
for worker in range(WORKERS):
    if os.fork() == 0:
        for end in (to_write, done_read, end_write):
            os.close(end)
        if os.read(to_read, 1):
            deeper(worker % 20, pages[worker], items)
            os.write(done_write, b".")
            os.read(end_read, 1)
        os._exit(0)
os.close(to_read)
os.close(done_write)
print(json.dumps({"pid": os.getpid()}), flush=True)
if sys.stdin.readline():
    os.write(to_write, b"x" * WORKERS)
    left = WORKERS
    while left:
        left -= len(os.read(done_read, left))
    print(json.dumps({"read": WORKERS * LINES}), flush=True)
sys.stdin.readline()
