# SPDX-License-Identifier: MIT
"""More cases of stacks.py: generators and tasks, code that exists in no file, tables of lines, threads, calls from
foreign code."""
import asyncio
import threading
import types
from concurrent.futures import ThreadPoolExecutor

from stack_cases import THREADS, case
from witnessed import OBJ, hit, seen


# --- generators and coroutines -------------------------------------------------------------------

@case("generator", "generator_from", "generator_throw", "generator_close", "generator_dealloc",
      "generator_send", "generator_warm")
def generators():
    def leaf(name):
        yield (seen(name), OBJ[name])

    def chain(name, n):
        if n:
            yield from chain(name, n - 1)
        else:
            yield from leaf(name)

    def sent():
        value = yield
        yield hit(value)

    def closed(name):
        try:
            yield 1
        except ZeroDivisionError:
            yield (seen(name), OBJ[name])
        except GeneratorExit:
            (seen(name), OBJ[name])
            raise
    for x in leaf("generator"):
        assert x
    list(chain("generator_from", 7))
    g = sent()
    next(g)
    g.send("generator_send")
    g = closed("generator_throw")
    next(g)
    g.throw(ZeroDivisionError())
    g = closed("generator_close")
    next(g)
    g.close()
    g = closed("generator_dealloc")
    next(g)
    g = None
    for i in (n if n != 60 else hit("generator_warm", n) for n in range(64)):
        assert i is not None


@case("async_plain", "async_deep", "async_for", "async_with", "async_comp", "async_callback", "async_shield",
      *("gather_%d" % i for i in range(5)))
def async_tasks():
    async def leaf(name, wait=0):
        await asyncio.sleep(wait)
        return (seen(name), OBJ[name])

    async def deep_leaf(n):
        return await (deep_leaf(n - 1) if n else leaf("async_deep"))

    async def numbers():
        yield 1
        await asyncio.sleep(0)
        yield (seen("async_for"), OBJ["async_for"])

    class Manager:
        async def __aenter__(self):
            return await leaf("async_with")

        async def __aexit__(self, *error):
            pass

    async def main():
        await leaf("async_plain")
        await deep_leaf(5)
        async for x in numbers():
            assert x
        async with Manager():
            pass
        assert [hit("async_comp") async for x in numbers_of_one()] == [None]
        asyncio.get_running_loop().call_soon(hit, "async_callback")
        await asyncio.sleep(0)
        await asyncio.shield(leaf("async_shield"))
        await asyncio.gather(*(leaf("gather_%d" % i, i / 1000) for i in range(5)))

    async def numbers_of_one():
        yield 1
    asyncio.run(main())


# --- code from elsewhere -------------------------------------------------------------------------

@case("exec_string", "eval_string", "exec_function", "compiled", "replaced", "names_latin", "names_cyrillic",
      "names_wide", "nested_exec")
def strings():
    space = {"seen": seen, "OBJ": OBJ, "hit": hit}
    exec("\n\n(seen('exec_string'), OBJ['exec_string'])\n", space)
    eval("(seen('eval_string'), OBJ['eval_string'])", space)
    exec("def function():\n  x = 1\n  return (seen('exec_function'), OBJ['exec_function'])\n", space)
    space["function"]()
    exec("exec(\"(seen('nested_exec'), OBJ['nested_exec'])\")", space)
    exec(compile("\n" * 9 + "hit('compiled')", "gen://a file?&x=1", "exec"), space)
    code = (lambda: (seen("replaced"), OBJ["replaced"])).__code__
    new = {"co_name": "renamed", "co_firstlineno": code.co_firstlineno + 1000, "co_filename": "other.py"}
    types.FunctionType(code.replace(**new), space)()
    for name, word in (("names_latin", "größe"), ("names_cyrillic", "размер"), ("names_wide", "𝔰𝔦𝔷𝔢名前")):
        source = "class %s:\n def %s():\n  return (seen('%s'), OBJ['%s'])\n%s.%s()" % (
            word, word, name, name, word, word)
        exec(compile(source, "/srv/%s.py" % word, "exec"), space)


@case("line_far", "line_back", "line_long", "line_gap", "line_70000", "line_loop")
def line_tables():
    """Deltas that do not fit into one entry of a line table, and those that go backwards."""
    space = {"seen": seen, "OBJ": OBJ, "hit": hit}
    mark = "(seen('%s'), OBJ['%s'])"

    def run(name, source):
        exec(compile(source % {"it": mark % (name, name)}, name + ".py", "exec"), space)
    run("line_far", "def f():\n x = 1\n" + "\n" * 300 + " return %(it)s\nf()")
    run("line_70000", "\n" * 70_000 + "def f():\n return %(it)s\n" + "\n" * 1000 + "f()")
    run("line_back", "def f():\n return max(\n" + "\n" * 200 + "  1,\n" + "\n" * 150 + "  len(%(it)s))\nf()")
    run("line_long", "def f(x):\n x = [" + "x, " * 900 + "]; return %(it)s\nf(1)")
    run("line_gap", "def f(x):\n if x:\n  x = [" + "x, " * 400 + "]\n" + "\n" * 130 + "  x = (\n" + "\n" * 129
        + "   %(it)s)\n  return x\nf(1)")
    run("line_loop", "def f():\n for i in range(9):\n  x = (i\n   ==\n   7)\n  if x:\n   %(it)s\nf()")


# --- threads -------------------------------------------------------------------------------------

@case(*("pool_%d" % i for i in range(THREADS)))
def thread_pool():
    barrier = threading.Barrier(THREADS)

    def level(n, i):
        if n:
            return level(n - 1, i)
        barrier.wait()
        return (seen("pool_%d" % i), OBJ["pool_%d" % i])
    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(level, i, i) for i in range(THREADS)]:
            future.result()


@case("thread_run", "thread_timer", "thread_local")
def threads():
    class Local(threading.local):
        def __init__(self):
            hit("thread_local")

    def run():
        Local()
        return (seen("thread_run"), OBJ["thread_run"])
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    timer = threading.Timer(0.001, hit, ["thread_timer"])
    timer.start()
    timer.join()


@case("ctypes_callback", "ctypes_nested")
def foreign():
    try:
        import ctypes
    except ImportError as error:
        return "no ctypes: %s" % error
    function = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)

    @function
    def compare(_a, _b):
        return hit("ctypes_callback", 0)
    libc = ctypes.CDLL(None)
    libc.qsort((ctypes.c_int * 2)(2, 1), ctypes.c_size_t(2), ctypes.c_size_t(4), compare)

    @ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)
    def nested(name):
        return (seen(name), OBJ[name], None)[2]
    nested("ctypes_nested")
    return None
