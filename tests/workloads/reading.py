# SPDX-License-Identifier: MIT
"""Which ways of reading an object write to its reference count? 53 objects, each alone on the first page of a
mapping of its own; for each way a child reads each of them once, in that way only. Prints which pid read how.

A child's copies of `refcount` of `bytes` are then the objects that were written: none, or all 53."""
import json
import os
import sys
import time

COUNT = 53  # a prime; CPython is sure of the first 64 local variables only, the others are never borrowed
SIZE = 1 << 16  # malloc's threshold for a mapping of its own, see main()
NAMES = ["x%d" % n for n in range(COUNT)]


class Plain:
    pass


class Slots:
    __slots__ = NAMES


def ignore(_):
    return None


def make_objects():
    """Kept only if they begin a mapping: malloc may first fill holes of its heap."""
    objects, misfits = [], []
    while len(objects) < COUNT:
        candidate = bytes(SIZE)
        (objects if id(candidate) % 4096 <= 64 else misfits).append(candidate)
    return objects, misfits


def each(text):
    """A function body that does one thing to each name."""
    return "; ".join(text.replace("NAME", name).replace("INDEX", str(n)) for n, name in enumerate(NAMES))


# Way of reading, and the code that reads all objects so; it runs in the child, everything else before the fork.
WAYS = (
    ("len(local)", each("len(NAME)")),
    ("local is None", each("NAME is None")),
    ("function(local)", each("ignore(NAME)")),
    ("other = local", each("other = NAME")),
    ("(local, 1)", each("(NAME, 1)")),
    ("len(global)", each("len(g_NAME)")),
    ("len(instance.attribute)", each("len(plain.NAME)")),
    ("instance.attribute is None", each("plain.NAME is None")),
    ("len(instance.slot)", each("len(slots.NAME)")),
    ("len(list[i])", each("len(items[INDEX])")),
    ("len(tuple[i])", each("len(fixed[INDEX])")),
    ("len(dict[key])", each("len(names['NAME'])")),
    ("for item in list", "for item in items: pass"),
    ("[len(i) for i in list]", "[len(item) for item in items]"),
    ("list(map(len, list))", "list(map(len, items))"),
    ("sum(len(i) for i in list)", "sum(len(item) for item in items)"),
    ("dict.values()", "for item in names.values(): pass"),
    ("needle in list", "0 in items"),
    ("list.copy()", "items.copy()"),
    ("sorted(list, key=len)", "sorted(items, key=len)"),
)

PROGRAM = """
def read(items, fixed, names, plain, slots, fork, leave):
    {locals} = items
    other = item = None
    if not fork():
        return
    {code}
    leave(0)
"""


def fork():
    """In the child true, in the master false when the child has ended."""
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        FORKED.append(pid)
    return pid == 0


FORKED = []


def main():
    if "MALLOC_MMAP_THRESHOLD_" not in os.environ:
        os.environ["MALLOC_MMAP_THRESHOLD_"] = str(SIZE)
        os.execv(sys.executable, [sys.executable, *sys.argv])
    items, misfits = make_objects()
    names = dict(zip(NAMES, items))
    plain, slots = Plain(), Slots()
    for name, item in names.items():
        setattr(plain, name, item)
        setattr(slots, name, item)
    readers = []
    for _, code in WAYS:
        scope = {"ignore": ignore, **{"g_" + name: item for name, item in names.items()}}
        exec(PROGRAM.format(locals=", ".join(NAMES), code=code), scope)
        readers.append(scope["read"])
    fixed = tuple(items)
    for (way, _), read in zip(WAYS, readers):
        # The child leaves from there: to return would drop its local variables, and write as well.
        read(items, fixed, names, plain, slots, fork, os._exit)
        os.write(1, (json.dumps({"pid": FORKED[-1], "way": way}) + "\n").encode())
    time.sleep(0.5)  # types are read from a living process: the children are gone
    os._exit(len(misfits) > 1000)


if __name__ == "__main__":
    main()
