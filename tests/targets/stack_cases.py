# SPDX-License-Identifier: MIT
"""The cases of stacks.py. Valid from Python 3.8 on: what a version lacks is compiled from a string."""
import contextlib
import functools
import json
import operator
import re
import signal
import sys
import weakref

from witnessed import OBJ, hit, seen

CASES = []
DEEP = (100, 200, 300)
THREADS = 32


def case(*names):
    """A function that reads these objects; without arguments, that of its own name. What it returns, if
    anything, is why the version at hand has no such case."""
    def mark(function, names=names):
        function.names = names or (function.__name__,)
        CASES.append(function)
        return function
    if len(names) == 1 and callable(names[0]):
        function, names = names[0], ()
        return mark(function, ())
    return mark


# --- plain calls ---------------------------------------------------------------------------------

@case
def recursion():
    def down(n):
        return down(n - 1) if n else (seen("recursion"), OBJ["recursion"])
    down(29)


def descend(n, name):
    if n > 1:
        return descend(n - 1, name)
    return (seen(name), OBJ[name])


@case(*("deep_%d" % n for n in DEEP))
def deep():
    for n in DEEP:
        descend(n, "deep_%d" % n)


@case
def mutual_recursion():
    def even(n):
        return odd(n - 1) if n else (seen("mutual_recursion"), OBJ["mutual_recursion"])

    def odd(n):
        return even(n - 1)
    even(12)


@case
def lines_of_a_call():
    """A call over several lines: outer frames, too, have the line that Python gives them."""
    def leaf(*args, **kwargs):
        return (
            args,
            seen("lines_of_a_call"), OBJ["lines_of_a_call"],
            kwargs,
        )
    str(
        len(
            leaf(
                1,
                [2,
                 3],
                key={
                    "a": 1,
                },
            )
        )
    )


@case
def closures():
    def one():
        def two():
            def three():
                return (lambda: (seen("closures"), OBJ["closures"]))()
            return three()
        return two()
    one()


def noisy(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper


@case("decorated", "decorating")
def decorators():
    @noisy
    @noisy
    def inner():
        return hit("decorated")
    inner()

    def decorate(function):
        return (seen("decorating"), OBJ["decorating"], function)[2]

    @noisy
    @decorate
    @noisy
    def unused():
        pass


@case("comp_list", "comp_set", "comp_dict", "comp_nested", "comp_generator", "comp_condition")
def comprehensions():
    """Inlined into their function in 3.12+, a frame of their own before."""
    assert [(seen("comp_list"), OBJ["comp_list"]) for _ in range(1)]
    assert {len((seen("comp_set"), OBJ["comp_set"])) for _ in range(1)}
    assert {x: (seen("comp_dict"), OBJ["comp_dict"]) for x in range(1)}
    assert [[hit("comp_nested") for _ in range(1)]
            for _ in
            range(1)]
    assert list((seen("comp_generator"), OBJ["comp_generator"]) for _ in range(1))
    assert [
        x
        for x in range(1)
        if (seen("comp_condition"), OBJ["comp_condition"])
    ]


@case("class_body", "class_inner_body", "metaclass_call", "metaclass_new", "init_subclass", "set_name")
def classes():
    class Meta(type):
        def __new__(mcs, name, bases, space):
            return (seen("metaclass_new"), super().__new__(mcs, name, bases, space), OBJ["metaclass_new"])[1]

        def __call__(cls, *args):
            return (seen("metaclass_call"), OBJ["metaclass_call"], super().__call__(*args))[2]

    class Field:
        def __set_name__(self, owner, name):
            hit("set_name")

    class Outer(metaclass=Meta):
        here = (seen("class_body"), OBJ["class_body"])

        class Inner:
            field = Field()
            here = (seen("class_inner_body"), OBJ["class_inner_body"])

            def __init_subclass__(cls):
                hit("init_subclass")
    Outer()
    type("Sub", (Outer.Inner,), {})


@case("init", "init_nested", "new", "init_keyword", "call_method", "init_warm")
def instances():
    """3.13+ runs __init__ in the same loop, with a frame in between that Python hides."""
    class Plain:
        def __init__(self, name):
            self.x = (seen(name), OBJ[name])

    class Outer:
        def __init__(self):
            self.inner = Plain("init_nested")

    class New:
        def __new__(cls):
            return (seen("new"), OBJ["new"], super().__new__(cls))[2]

        def __call__(self):
            return hit("call_method")

    class Keyword:
        def __init__(self, *, name):
            hit(name)

    class Warm:
        def __init__(self, value):
            self.x = (seen("init_warm"), OBJ["init_warm"]) if value == 99 else value
    Plain("init")
    Outer()
    New()()
    Keyword(name="init_keyword")
    for i in range(100):  # so that the call is specialised by then
        Warm(i)


@case("property_get", "descriptor_get", "getattr_hook", "getattribute", "cached_property", "setattr_hook",
      "class_method", "static_method")
def attributes():
    class Descriptor:
        def __get__(self, instance, owner):
            return (seen("descriptor_get"), OBJ["descriptor_get"])

    class Object:
        described = Descriptor()

        @property
        def value(self):
            return (seen("property_get"), OBJ["property_get"])

        @functools.cached_property
        def cached(self):
            return hit("cached_property")

        def __getattr__(self, name):
            return hit("getattr_hook")

        def __setattr__(self, name, value):
            hit("setattr_hook")

        @classmethod
        def made(cls):
            return (seen("class_method"), OBJ["class_method"])

        @staticmethod
        def free():
            return (seen("static_method"), OBJ["static_method"])

    class Every:
        def __getattribute__(self, name):
            return (seen("getattribute"), OBJ["getattribute"])
    x = Object()
    assert x.value and x.described
    assert x.missing is None and x.cached is None
    x.y = 1
    x.made(), x.free()
    assert Every().z


@case("with_enter", "with_exit", "with_body", "with_generator", "with_generator_exit", "except_body",
      "finally_body")
def blocks():
    class Manager:
        def __enter__(self):
            return (seen("with_enter"), OBJ["with_enter"])

        def __exit__(self, *error):
            return (seen("with_exit"), OBJ["with_exit"])

    @contextlib.contextmanager
    def managed():
        hit("with_generator")
        try:
            yield
        finally:
            (seen("with_generator_exit"), OBJ["with_generator_exit"])
    with Manager():
        (seen("with_body"), OBJ["with_body"])
        raise ValueError
    with managed():
        pass
    try:
        try:
            raise KeyError
        finally:
            (seen("finally_body"), OBJ["finally_body"])
    except KeyError:
        (seen("except_body"), OBJ["except_body"])


# --- callbacks from C ----------------------------------------------------------------------------

@case("c_sorted", "c_map", "c_filter", "c_max", "c_re_sub", "c_reduce", "c_partial", "c_lru_cache", "c_json",
      "c_lambda_key", "c_compare", "c_hash", "c_eq", "c_iter", "c_next", "c_iter_sentinel", "c_format",
      "c_bool", "c_len", "c_add", "c_methodcaller", "c_type_iter")
def callbacks():
    def key(name):
        def inner(*args):
            return (seen(name), OBJ[name], 0)[2]
        return inner

    class Object:
        def __lt__(self, other):
            return hit("c_compare", True)

        def __hash__(self):
            return hit("c_hash", 7)

        def __eq__(self, other):
            return hit("c_eq", True)

        def __iter__(self):
            return hit("c_iter", iter("ab"))

        def __format__(self, spec):
            return hit("c_format", "")

        def __bool__(self):
            return hit("c_bool", False)

        def __add__(self, other):
            return hit("c_add", 3)

        def method(self):
            return hit("c_methodcaller")

    class Sized:
        def __len__(self):
            return hit("c_len", 3)

    class Counter:
        def __iter__(self):
            return self

        def __next__(self):
            return hit("c_next", 1)
    sorted([1], key=key("c_sorted"))
    sorted([3], key=lambda x: (seen("c_lambda_key"), OBJ["c_lambda_key"], x)[2])
    list(map(key("c_map"), [1]))
    list(filter(key("c_filter"), [1]))
    max([1], key=key("c_max"))
    re.sub("b", lambda m: hit("c_re_sub", "x"), "abc")
    functools.reduce(key("c_reduce"), [1, 2])
    functools.partial(key("c_partial"), 1)(2)
    functools.lru_cache(maxsize=None)(key("c_lru_cache"))(5)
    json.dumps([{"x": object()}], default=lambda _: hit("c_json", 1))
    sorted([Object(), Object()])
    known = {7: 0}
    assert Object() in known
    tuple(Object())
    next(zip(Counter()))
    list(iter(key("c_iter_sentinel"), 0))
    f"{Object()}"
    assert not Object()
    len(Sized())
    sum([Object()], Object())
    operator.methodcaller("method")(Object())
    list(map(type("Kind", (), {"__init__": key_init}), [1]))


def key_init(self, _value):
    (seen("c_type_iter"), OBJ["c_type_iter"])


@case("weakref_callback", "finalizer", "dealloc", "signal_handler", "gc_callback")
def called_at_odd_moments():
    class Object:
        pass

    class Dying:
        def __del__(self):
            (seen("dealloc"), OBJ["dealloc"])
    x = Object()
    ref = weakref.ref(x, lambda _: (seen("weakref_callback"), OBJ["weakref_callback"]))
    final = weakref.finalize(x, hit, "finalizer")
    del x
    assert ref() is None and not final.alive
    y = Dying()
    y = None  # noqa: F841
    signal.signal(signal.SIGUSR1, lambda number, frame: hit("signal_handler"))
    signal.raise_signal(signal.SIGUSR1)

    import gc

    def collected(phase, info):
        if phase == "start":
            (seen("gc_callback"), OBJ["gc_callback"])
    gc.callbacks.append(collected)
    gc.collect(0)
    gc.callbacks.clear()


@case("trace_call", "trace_line", "profile_call", "traced_body")
def tracing():
    todo = {"trace_call", "trace_line", "profile_call"}

    def once(name):
        if name in todo:
            todo.discard(name)
            (seen(name), OBJ[name])

    def trace(frame, event, arg):
        once("trace_" + event)
        return trace

    def traced():
        x = 1
        return (x, seen("traced_body"), OBJ["traced_body"])
    sys.settrace(trace)
    traced()
    sys.settrace(None)
    sys.setprofile(lambda frame, event, arg: once("profile_call"))
    once("another")
    sys.setprofile(None)


@case("monitoring_line", "monitored_body")
def monitoring():
    if sys.version_info < (3, 12):
        return "sys.monitoring is 3.12+"
    m, done = sys.monitoring, []

    def line(code, number):
        if not done:
            done.append((seen("monitoring_line"), OBJ["monitoring_line"]))

    def monitored():
        x = 1
        return (x, seen("monitored_body"), OBJ["monitored_body"])
    m.use_tool_id(2, "cases")
    m.register_callback(2, m.events.LINE, line)
    m.set_local_events(2, monitored.__code__, m.events.LINE)
    monitored()
    m.set_local_events(2, monitored.__code__, 0)
    m.free_tool_id(2)
    return None
