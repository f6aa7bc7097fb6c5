# SPDX-License-Identifier: MIT
"""The cells of the matrix: which copies count, and where CPython makes a cell inexact or leaves it out."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cpythons import Interpreter

When = Callable[[Interpreter], bool]


@dataclass(frozen=True)
class Cell:
    name: str  # as the target prints it
    target: str
    cause: str
    detail: str | tuple[str, ...] | None  # one of these; None: any
    type: str | tuple[str, ...] | None  # one of these; None: any
    mark: str = ""  # the line of the target with this mark ...
    function: str = ""  # ... or the function of that name
    certainty: str = "proven"
    # Where there is nothing to measure, and why.
    absent: tuple[tuple[When, str], ...] = ()
    # Where the number is between two bounds (of the expected number: factors), and why.
    inexact: tuple[tuple[When, float, float, str], ...] = field(default=())


def free_threaded(i: Interpreter) -> bool:
    return i.free_threaded


def before(*version: int) -> When:
    return lambda i: i.version < version


def since(*version: int) -> When:
    return lambda i: i.version >= version


NO_LISTS = (free_threaded, "free-threaded builds have no lists of tracked objects")
NO_PYMALLOC = (free_threaded, "free-threaded builds have no pymalloc, and malloc's place is mimalloc's")
NO_SPECIALIZING = (
    lambda i: i.free_threaded and i.version < (3, 14), "3.13t does not specialize bytecode"
)
NO_CTYPES = (lambda i: not i.ctypes, "this build has no ctypes")
NO_BREAKS = (lambda i: i.libc == "musl", "musl's malloc keeps its notes away from the memory that it hands out")

FILLED = (lambda i: i.debug, "debug builds fill what is freed, which writes to that page first")
LINKED = (
    lambda i: i.libc != "musl", 1, 1.1,
    "free() also links what was freed to a block that had been free before, and so for the items of the list",
)

CELLS = [
    Cell("refcount inc slotted", "refcounts", "refcount", "inc", "Slotted", "slotted"),
    Cell("refcount inc plain", "refcounts", "refcount", "inc", "Plain", "plain"),
    Cell("refcount inc float", "refcounts", "refcount", "inc", "float", "float"),
    Cell("refcount inc int", "refcounts", "refcount", "inc", "int", "int"),
    Cell("refcount inc str", "refcounts", "refcount", "inc", "str", "str"),
    Cell("refcount inc tuple", "refcounts", "refcount", "inc", "tuple", "tuple"),
    Cell("refcount dec", "refcounts", "refcount", "dec", "Slotted", "dec"),
    Cell("gc-header collect", "gcheads", "gc-header", "collect", "Tracked", "collect"),
    Cell("gc-header track", "gcheads", "gc-header", "track", "Tail", "track", absent=(NO_LISTS,)),
    Cell("gc-header untrack", "gcheads", "gc-header", "untrack", ("Before", "After"), "untrack", absent=(NO_LISTS,)),
    Cell(
        "inline-cache", "codes", "inline-cache", None, None, function="cached",
        absent=((before(3, 11), "3.11 brought inline caches"), NO_SPECIALIZING),
    ),
    Cell(
        "inline-cache warmup", "codes", "inline-cache", "warmup", None, function="first",
        absent=(
            (before(3, 11), "3.11 brought inline caches"),
            (since(3, 12), "only 3.11 counts calls in the code object"),
        ),
    ),
    Cell(
        "lazy-cache code", "codes", "lazy-cache", None, "code", "call",
        absent=((since(3, 11), "only up to 3.10 a code object has a cache of look-ups and a spare frame"),),
        inexact=((before(3, 11), 0.8, 1, "a call allocates: malloc may write beside a code object first"),),
    ),
    Cell("lazy-cache str hash", "lazy", "lazy-cache", None, "str", "str hash"),
    Cell("lazy-cache bytes hash", "lazy", "lazy-cache", None, "bytes", "bytes hash"),
    Cell(
        "lazy-cache utf8", "lazy", "lazy-cache", None, "str", "utf8",
        inexact=((before(3, 9), 0.8, 1, "the text is allocated too: malloc may write beside a string first"),),
    ),
    Cell(
        "lazy-cache tuple hash", "lazy", "lazy-cache", None, "tuple", "tuple hash",
        absent=((before(3, 14), "3.14 began to keep the hash of a tuple"),),
    ),
    Cell(
        "lazy-cache frozenset hash", "frozensets", "lazy-cache", None, "frozenset", "frozenset hash",
        absent=((lambda i: i.libc == "musl", "musl's malloc puts no block of that size across two pages"),),
    ),
    Cell("lazy-cache type version", "types_and_keys", "lazy-cache", None, "Meta", "type version"),
    Cell(
        "lazy-cache dict keys version", "types_and_keys", "lazy-cache", "keys version", None, function="load",
        absent=((before(3, 11), "3.11 brought versions of keys"), NO_SPECIALIZING),
    ),
    Cell("mutation list item", "mutations", "mutation", "items", None, "list item"),
    Cell("mutation dict value", "mutations", "mutation", "entries", None, "dict value"),
    Cell("mutation attribute", "mutations", "mutation", None, "Wide", "attribute"),
    Cell(
        "allocator pymalloc", "allocations", "allocator", None, None, "pymalloc", absent=(NO_PYMALLOC,)
    ),
    Cell(
        "allocator malloc", "allocations", "allocator", "malloc", None, "free",
        absent=(NO_PYMALLOC, NO_BREAKS, FILLED), inexact=(LINKED,),
    ),
    Cell(
        "allocator mimalloc", "allocations", "allocator", ("mimalloc block", "reuse of a block"), None, "mimalloc",
        absent=((lambda i: not i.free_threaded, "only free-threaded builds have mimalloc"),),
    ),
    Cell("native-data .data", "natives", "native-data", "matrix.so", None, "data", absent=(NO_CTYPES,)),
    Cell("native-data .bss", "natives", "native-data", "matrix.so", None, "bss", absent=(NO_CTYPES,)),
    Cell("stack native", "natives", "stack", "native", None, "stack", absent=(NO_CTYPES,)),
    Cell(
        "stack python", "datastack", "stack", "python", None, function="down",
        absent=((before(3, 11), "frames are objects up to 3.10"),),
    ),
    Cell("buffer bytearray", "buffers", "buffer", None, None, "bytearray"),
    Cell("buffer array", "buffers", "buffer", None, None, "array"),
    Cell("buffer bulk", "buffers", "buffer", None, None, "bulk"),
    Cell("buffer mmap", "buffers", "buffer", None, None, "mmap"),
    Cell("kernel-write", "buffers", "kernel-write", "readv", None, "readv"),
]
