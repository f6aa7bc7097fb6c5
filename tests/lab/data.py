# SPDX-License-Identifier: MIT
"""The data of the lab: for each kind how it is made, read and written. `data.py prepare KIND ITEMS PLACE` makes the
file that some of them are loaded from, in a process of its own."""
from __future__ import annotations

import array
import dataclasses
import gc
import mmap
import os
import sys
from typing import Any, Callable

PLACE = os.environ.get("LAB_PLACE", "")


@dataclasses.dataclass
class Record:
    number: int
    name: str


@dataclasses.dataclass
class Slots:
    __slots__ = ("number", "name")
    number: int
    name: str


# --- how it is made, in the order of the article, then what it leaves out ---


def make_list(n: int) -> list[int]:
    return [item for item in range(n)]


def make_joblib(n: int) -> list[int]:
    import joblib

    return joblib.load(os.path.join(PLACE, "list.joblib"))


def make_numpy(n: int) -> Any:
    import numpy

    return numpy.array([[item, item] for item in range(n)])


def make_pandas(n: int) -> Any:
    import numpy
    import pandas

    return pandas.DataFrame({"a": numpy.arange(n), "b": numpy.arange(n) * 0.5})


def fill(memory: Any, n: int) -> memoryview:
    view = memoryview(memory).cast("q")
    step = 1 << 16
    for start in range(0, n, step):
        end = min(n, start + step)
        view[start:end] = array.array("q", range(start, end))
    return view


def make_mmap(n: int) -> memoryview:
    return fill(mmap.mmap(-1, 8 * n), n)


def map_file(n: int, access: int) -> memoryview:
    with open(os.path.join(PLACE, "numbers"), "r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 8 * n, access=access)).cast("q")


def make_file(n: int) -> memoryview:
    return map_file(n, mmap.ACCESS_WRITE)


def make_private_file(n: int) -> memoryview:
    return map_file(n, mmap.ACCESS_COPY)


segments: list[Any] = []  # they unmap themselves when they are freed


def make_shm(n: int) -> memoryview:
    from multiprocessing import shared_memory

    segment = shared_memory.SharedMemory(create=True, size=8 * n)
    segment.unlink()
    segments.append(segment)
    return fill(segment.buf[:8 * n], n)


def make_array(n: int) -> array.array[int]:
    return array.array("q", range(n))


def make_objects(n: int) -> Any:
    import numpy

    return numpy.array([f"item {i}" for i in range(n)], dtype=object)


def make_dict(n: int) -> dict[str, int]:
    return {f"item {i}": i for i in range(n)}


def make_records(n: int) -> list[Record]:
    return [Record(i, f"item {i}") for i in range(n)]


def make_slots(n: int) -> list[Slots]:
    return [Slots(i, f"item {i}") for i in range(n)]


def make_lists(n: int) -> list[list[int]]:
    gc.set_threshold(700, 10, 10)  # the default up to 3.12; later ones collect less often
    return [[i] for i in range(n)]


def make_code(n: int) -> list[Callable[[int], int]]:
    """Functions of 400 lines each, one for 25,000 items."""
    lines = "".join(f"    y{i % 9} = x * {i} + x\n" for i in range(400))
    space: dict[str, Any] = {}
    for k in range(max(n // 25_000, 20)):
        exec(compile(f"def f{k}(x):\n{lines}    return y0", "code.py", "exec"), space)
    return [space[f"f{k}"] for k in range(max(n // 25_000, 20))]


# --- how it is read: a line for each kind, so that the report tells them apart ---


def read_numbers(data: Any) -> int:
    total = 0
    for item in data:
        total += item
    return total


def read_rows(data: Any) -> int:
    total = 0
    for row in data:
        total += row[0]
    return int(total)


def read_frame(data: Any) -> int:
    total = 0
    for item in data["a"]:
        total += item
    return total + int(data["b"].sum())


def read_strings(data: Any) -> int:
    total = 0
    for item in data:
        total += len(item)
    return total


def read_dict(data: Any) -> int:
    total = 0
    for name, item in data.items():
        total += len(name) + item
    return total


def read_records(data: Any) -> int:
    total = 0
    for item in data:
        total += item.number + len(item.name)
    return total


def call_all(data: Any) -> int:
    total = 0
    for _ in range(12):
        for function in data:
            total += function(3)
    return total


def write_pages(data: Any) -> int:
    for i in range(0, len(data), 512):
        data[i] += 1
    return len(data)


def make_new_lists(data: Any) -> int:
    """As many new objects as it takes to make the collector look at all of them."""
    kept = []
    for i in range(max(120_000, len(data) * 2 // 5)):
        kept.append([i])
    return len(kept)


KINDS: dict[str, tuple[Callable[[int], Any], Callable[[Any], int]]] = {
    "list": (make_list, read_numbers),
    "joblib": (make_joblib, read_numbers),
    "numpy": (make_numpy, read_rows),
    "pandas": (make_pandas, read_frame),
    "mmap": (make_mmap, read_numbers),
    "file": (make_file, read_numbers),
    "private-file": (make_private_file, read_numbers),
    "shm": (make_shm, read_numbers),
    "array": (make_array, read_numbers),
    "objects": (make_objects, read_strings),
    "dict": (make_dict, read_dict),
    "records": (make_records, read_records),
    "slots": (make_slots, read_records),
    "lists": (make_lists, make_new_lists),
    "code": (make_code, call_all),
}


def make(kind: str, n: int) -> Any:
    return KINDS[kind][0](n)


def access(kind: str, data: Any, how: str) -> int:
    """how: read, write, or idle: not at all"""
    if how == "idle":
        return 0
    return write_pages(data) if how == "write" else KINDS[kind][1](data)


def prepare(kind: str, n: int, place: str) -> None:
    if kind == "joblib":
        import joblib

        joblib.dump(make_list(n), os.path.join(place, "list.joblib"))
    elif kind in ("file", "private-file"):
        with open(os.path.join(place, "numbers"), "wb") as file:
            array.array("q", range(n)).tofile(file)


if __name__ == "__main__":
    prepare(sys.argv[2], int(sys.argv[3]), sys.argv[4])
