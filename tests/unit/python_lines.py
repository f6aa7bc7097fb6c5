# SPDX-License-Identifier: MIT
"""Which line every instruction is on, as the interpreter that runs this has it (3.8 to 3.15).

With "fixture" as argument: line tables with their answers, for line_tables.txt. Else, for
test_python_lines.c, code objects that stay where they are until standard input ends. Texts are hex of their
UTF-8. A run is BEGIN,END,LINE: bytes of bytecode; line 0 where there is none.
"""
import asyncio
import ctypes
import importlib._bootstrap
import importlib._bootstrap_external
import importlib.util
import os
import sys
import tempfile
import types
import zipfile
import zipimport

KEEP = []
MODULES = """_pydecimal argparse ast asyncio.base_events cgitb collections concurrent.futures.process contextlib
dataclasses datetime dis email._header_value_parser enum functools http.client inspect json.decoder logging
multiprocessing.pool os pathlib pickle random re socket ssl statistics subprocess tarfile threading typing
unittest.mock urllib.request xml.dom.minidom zipfile""".split()

addr2line = ctypes.pythonapi.PyCode_Addr2Line
addr2line.argtypes = [ctypes.py_object, ctypes.c_int]
addr2line.restype = ctypes.c_int

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
        y = {k: v
             for k in x
             for v in x}
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
    return [i async for i in
            x if await i]
class Klass(object):
    """doc"""
    a: int = 1
    @property
    def p(self): return self.a; x = 1
def backwards(x): return (
    x.a(
    ).b(
    ).c(x,
        y=1)
)
def branches(a, b):
    while a:
        if a and \\
           b or (
               a > b):
            continue
        elif b: break
        else:
            a = not a
            assert a, (
                b)
    with open(a) as f, \\
         open(b) as g:
        try:
            return f
        finally:
            del g
    try: pass
    except (A,
            B): pass
    else: b = 1
'''


def answer(code, offset):
    return max(addr2line(code, offset), 0)


def runs(code):
    size = len(code.co_code)
    lines = [answer(code, at) for at in range(0, size, 2)]
    begin = 0
    for i in range(1, len(lines) + 1):
        if i == len(lines) or lines[i] != lines[begin]:
            yield "%d,%d,%d" % (2 * begin, 2 * i, lines[begin])
            begin = i


def text(s):
    return s.encode("utf-8", "replace")[:512].hex() or "-"


def emit_code(code):
    KEEP.append(code)
    name = getattr(code, "co_qualname", code.co_name)
    print("code", id(code), code.co_firstlineno, text(code.co_filename), text(name), len(code.co_code), *runs(code))


def emit_frame(code, lasti, line):
    """A frame that stands still: f_lasti and tb_lasti are bytes in all versions, -1 before the start."""
    KEEP.append(code)
    print("frame", id(code), lasti, line or 0)


def walk(code, visit):
    visit(code)
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            walk(const, visit)


def emit_fixture(code):
    table = code.co_lnotab if sys.version_info < (3, 10) else code.co_linetable
    print("%d.%d" % sys.version_info[:2], code.co_name, code.co_firstlineno, len(code.co_code), table.hex() or "-",
          *runs(code))


def odd_sources():
    yield "far", "\n" * 100000 + "def f():\n" + "\n" * 70000 + "    return 1\n"
    yield "wide", "\n".join("v%d = %d + v" % (i, i) for i in range(3000))
    yield "long line", "x = (" + " + ".join("a%d" % i for i in range(100)) + ")\ny = 1"
    yield "tall", "x = (" + "\n1 +" * 90 + " y)"
    yield "up", "f(\n" * 90 + "x" + ")\n" * 90


def module_codes():
    for name in MODULES:
        try:
            spec = importlib.util.find_spec(name)
        except Exception:  # it, or what it is in, is gone in this version
            continue
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            continue
        with open(spec.origin, "rb") as f:
            yield compile(f.read(), spec.origin, "exec")


def frozen_codes():
    for module in (importlib._bootstrap, importlib._bootstrap_external):
        for value in vars(module).values():
            if isinstance(value, types.FunctionType):
                yield value.__code__


def zipped_code():
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "app.pyz")
        with zipfile.ZipFile(path, "w") as z:
            z.writestr("__main__.py", SOURCE)
        return zipimport.zipimporter(path).get_code("__main__")


def fails(depth):
    if depth:
        fails(
            depth - 1
        )
    [1 /
     x for x in (depth,
                 )]


def tracebacks():
    try:
        fails(3)
    except ZeroDivisionError as e:
        tb = e.__traceback__
    while tb:
        yield tb.tb_frame.f_code, tb.tb_lasti, tb.tb_lineno
        tb = tb.tb_next


def suspended():
    namespace = {}
    exec(SOURCE, namespace)
    new = namespace["generator"](3)
    started = namespace["generator"](3)
    next(started)
    coroutine = namespace["coroutine"](1)
    expression = (
        i for i in
        range(3)
    )
    next(expression)
    KEEP.extend([new, started, coroutine, expression])
    for frame in (new.gi_frame, started.gi_frame, coroutine.cr_frame, expression.gi_frame):
        yield frame.f_code, frame.f_lasti, frame.f_lineno


async def stack(found):
    await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        for frame in task.get_stack():
            found.append((frame.f_code, frame.f_lasti, frame.f_lineno))


async def several(found):
    await asyncio.gather(
        *(stack(found) for _ in range(3)),
    )


def main():
    if sys.argv[1:] == ["fixture"]:
        walk(compile(SOURCE, "fixture.py", "exec"), emit_fixture)
        for name, source in list(odd_sources())[3:]:
            walk(compile(source, name, "exec"), emit_fixture)
        return
    print("python", sys.hexversion, int(not getattr(sys, "_is_gil_enabled", lambda: True)()), flush=True)
    walk(compile(SOURCE, "<string>", "exec"), emit_code)
    walk(zipped_code(), emit_code)
    for name, source in odd_sources():
        walk(compile(source, name, "exec"), emit_code)
    for code in frozen_codes():
        walk(code, emit_code)
    for code in module_codes():
        walk(code, emit_code)
    found = list(tracebacks()) + list(suspended())
    asyncio.run(several(found))
    for frame in found:
        emit_frame(*frame)
    print("end", flush=True)
    os.read(0, 1)
    for thing in KEEP:
        if isinstance(thing, types.CoroutineType):
            thing.close()


main()
