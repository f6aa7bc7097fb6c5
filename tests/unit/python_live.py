# SPDX-License-Identifier: MIT
"""What a live interpreter says of itself, for test_python_live.c to compare with what cowtrace reads.

One record a line. Every object stays alive until the process ends. Numbers are decimal, texts are hex
of their UTF-8. "stop" means: the process is now blocked in a read of standard input.
"""
import collections
import dis
import functools
import gc
import marshal
import os
import sys
import threading

KEEP = []
LIMIT = 512  # NAME_MAX_BYTES


def emit(*fields):
    print(*fields, flush=False)


def stop(what):
    print("stop", what, flush=True)
    os.read(0, 1)


def spin():
    """The same, but busy: the thread has the GIL nearly all the time."""
    os.set_blocking(0, False)
    print("stop", "busy", flush=True)
    while True:
        for _ in range(10**5):
            pass
        try:
            os.read(0, 1)
            break
        except BlockingIOError:
            pass
    os.set_blocking(0, True)


def text(s):
    """What cowtrace makes of a str."""
    s = "".join("\ufffd" if "\ud800" <= c <= "\udfff" or c == "\0" else c for c in s)
    raw = s.encode()
    if len(raw) > LIMIT:
        raw = raw[: LIMIT - 3].decode(errors="ignore").encode() + "\u2026".encode()
    return raw.hex() or "-"


def unit_lines(code):
    """The line of each code unit; 0: none."""
    if sys.version_info >= (3, 11):
        return [p[0] or 0 for p in code.co_positions()]
    lines = [0] * (len(code.co_code) // 2)
    if sys.version_info >= (3, 10):
        for begin, end, line in code.co_lines():
            lines[begin // 2:end // 2] = [line or 0] * ((end - begin) // 2)
        return lines
    for begin, line in dis.findlinestarts(code):
        lines[begin // 2:] = [line] * (len(lines) - begin // 2)
    return lines


def emit_code(code):
    """First line, names, and the line of each code unit as runs."""
    KEEP.append(code)
    name = code.co_qualname if sys.version_info >= (3, 11) else code.co_name
    emit("code", id(code), code.co_firstlineno, text(code.co_filename), text(name))
    lines = unit_lines(code)
    begin = 0
    for unit in range(1, len(lines) + 1):
        if unit == len(lines) or lines[unit] != lines[begin]:
            emit("lines", begin, unit, lines[begin])
            begin = unit
    emit("end", len(lines))


def walk(code):
    emit_code(code)
    for const in code.co_consts:
        if isinstance(const, type(code)):
            walk(const)


SOURCE = '''
import functools
def decorator(f):
    @functools.wraps(f)
    def wrapper(*args,
                **kwargs):
        return f(*args,
                 **kwargs)
    return wrapper
@decorator
@decorator
def decorated(a,
              b=1):
    def nested():
        x = [i for i in range(a)
             if i
             > 3]
        return (lambda y:
                y + x[0])
    return nested()(
        b
    )
def generator(n):
    for i in range(n):
        try:
            yield i
        except ValueError as e:
            raise KeyError(
                e
            ) from None
        finally:
            n -= 1
    yield from (
        j for j in range(n)
    )
async def coroutine(x):
    async with x as y:
        async for z in y:
            await z(
                1,
                2)
class Klass(object):
    """doc"""
    a: int = 1
    @property
    def p(self): return self.a; x = 1
def contexts(v):
    with open(v) as f, \\
         open(v) as g:
        return f, g
def backwards(x): return (
    x.a(
    ).b(
    ).c(x,
        y=1)
)
'''
if sys.version_info >= (3, 10):
    SOURCE += '''
def matching(v):
    match v:
        case [1, 2]:
            return 1
        case {"a": x} if x:
            return x
'''


def emit_codes():
    walk(compile(SOURCE, "/tmp/f\u00fcr \u4e16\U0001f600.py", "exec"))
    walk(compile("x = 1", "/tmp/bad-\udcff\ud800.py", "exec"))
    walk(compile("x = 1", "/" + "long\u20ac" * 20000, "exec"))
    walk(compile("\n" * 100000 + "def f():\n" + "\n" * 70000 + "    return 1\n", "far", "exec"))
    walk(compile("\n".join(f"v{i} = {i} + v" for i in range(3000)), "wide", "exec"))
    walk(compile("x = (" + "\n1 +" * 150 + " y)", "tall", "exec"))
    walk(compile("def n\u00e4me_\u4e16(): pass", "name", "exec"))
    long = {"co_qualname": "q" * 100000} if sys.version_info >= (3, 11) else {}
    walk(SAMPLE.__code__.replace(co_firstlineno=2**31 - 100, co_name="n" * 100000, **long))
    for name in ("inspect", "typing", "dataclasses", "argparse", "asyncio.base_events", "_pydecimal"):
        module = __import__(name, fromlist=["x"])
        with open(module.__file__, encoding="utf-8") as f:
            walk(compile(f.read(), module.__file__, "exec"))


def SAMPLE(x):
    return [y for y in x
            if y]


class Plain:
    pass


class Slots:
    __slots__ = ("a", "__weakref__")


class Meta(type):
    pass


class WithMeta(metaclass=Meta):
    pass


class GivenInt(int):
    pass


def emit_type(t, name=None):
    """name: what tp_name is, for the built-in types whose module is part of it."""
    KEEP.append(t)
    flags = t.__flags__
    pre = (1 << 4 if sys.version_info >= (3, 11) else 0) | (1 << 3 if sys.version_info >= (3, 12) else 0)
    emit("type", id(t), flags >> 14 & 1, int(bool(flags & pre)), flags >> 31 & 1, t.__basicsize__,
         t.__itemsize__, text(name or t.__name__))


def emit_types():
    types = [int, str, type, object, dict, tuple, float, Plain, Slots, Meta, WithMeta, GivenInt,
             collections.namedtuple("Named", "a b"), ValueError, type(emit_types), type(emit_types.__code__), type(sys),
             type("n\u00e4me_\u4e16\U0001f600", (), {}), type("x" * 100000, (), {}),
             type("\u20ac" * 40000, (), {}), type("tab\tname\n", (), {}), type(iter([]))]
    for t in types:
        emit_type(t)
    emit_type(collections.OrderedDict, "collections.OrderedDict")
    emit_type(functools.partial, "functools.partial")
    for o in (1, None, [], b"", emit_types.__code__, 1.5, sys):
        emit("nontype", id(o))


def emit_strs():
    strs = ["", "a", "plain ascii " * 3, "latin \xe9\xff", "\x80", "ucs2 \u4e16\u754c", "\u20ac" * 300,
            "ucs4 \U0001f600", "lone \ud800 and \udfff", "\udcff", "nul \0 inside", "a" * 512, "a" * 513,
            "a" * 511 + "\u20ac", "\xe9" * 256, "\xe9" * 257, "x" * 100000, "\U0001f600" * 50000,
            "interned", "\u2028 line \x1b[31m escape"]
    strs.append("".join(["built", " at", " run time ", str(os.getpid())]))
    for s in strs:
        KEEP.append(s)
        emit("str", id(s), text(s))
    for o in (1, None, b"bytes", [], int):
        KEEP.append(o)
        emit("nonstr", id(o))


def marked_line(code, mark):
    """The line of a function's source that holds a mark."""
    with open(__file__, encoding="utf-8") as f:
        lines = f.read().splitlines()
    for n in range(code.co_firstlineno, len(lines) + 1):
        if mark in lines[n - 1]:
            return n
    raise LookupError(mark)


GATE = threading.Lock()


def block():
    GATE.acquire()  # mark: blocked


def inner(depth):
    if depth:
        return inner(depth - 1)
    return list(
        blocking_generator(
            depth
        )
    )


def blocking_generator(n):
    yield n
    for key in sorted(
        [2, 1],
        key=lambda k:
            block(),
    ):
        yield key


@functools.lru_cache(None)
def through_c(depth):
    return inner(depth)


class Caller:
    def __init__(self, depth):
        self.value = depth and [through_c(d)
                                for d in (depth - 1,)]


def thread_main(depth):
    # Often enough that the interpreter inlines the call of __init__ (3.13+).
    for d in [0] * 30 + [depth]:
        Caller(
            d
        )


def emit_stack(ident, frame, leaf_line):
    emit("thread", ident)
    while frame:
        KEEP.append(frame.f_code)
        emit("frame", id(frame.f_code), leaf_line or frame.f_lineno)
        leaf_line = None
        frame = frame.f_back
    emit("bottom")


def emit_stacks():
    GATE.acquire()
    threads = [threading.Thread(target=thread_main, args=(depth,), daemon=True)
               for depth in (1, 4, 60)]
    for t in threads:
        t.start()
    line = marked_line(block.__code__, "mark: " + "blocked")
    while True:
        frames = sys._current_frames()
        leaves = [frames[t.ident] for t in threads]
        if all(f.f_code is block.__code__ and f.f_lineno == line for f in leaves):
            break
    for t in threads:
        emit_stack(t.ident, frames[t.ident], None)
    stop_line = marked_line(stop.__code__, "os.read(0" + ", 1)")
    me = sys._getframe()
    emit("thread", threading.get_ident())
    KEEP.append(stop.__code__)
    emit("frame", id(stop.__code__), stop_line)
    emit("frame", id(me.f_code), marked_line(me.f_code, "mark: " + "stacks"))
    frame = me.f_back
    while frame:
        emit("frame", id(frame.f_code), frame.f_lineno)
        frame = frame.f_back
    emit("bottom")
    stop("stacks")  # mark: stacks


def emit_counts():
    """After each stop one code object more has been made last, in each way that there is."""
    makers = [lambda: compile("x = 1", "one", "exec"),
              lambda: compile(SOURCE, "many", "exec"),
              lambda: marshal.loads(marshal.dumps(compile(SOURCE, "many", "exec"))),
              lambda: SAMPLE.__code__.replace(co_firstlineno=7)]
    for make in makers * 3:
        code = make()
        stop(f"made {id(code)}")
        if make is not makers[0]:
            KEEP.append(code)  # the others leave their places to the next ones


def collecting(phase, info):
    if phase == "start":
        gc.callbacks.remove(collecting)
        stop("collecting")


def on_glibc():
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (OSError, ValueError):
        return False


def main():
    emit("self", os.getpid(), sys.hexversion, int(hasattr(sys, "gettotalrefcount")), int(on_glibc()))
    emit_types()
    emit_strs()
    emit_codes()
    emit_stacks()
    gc.disable()
    emit_counts()
    stop("idle")
    spin()
    gc.callbacks.append(collecting)
    gc.collect()
    stop("done")


main()
