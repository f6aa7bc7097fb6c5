# SPDX-License-Identifier: MIT
"""What the lab measures: each claim, the programs that put it to the test, and what would be true if it held."""
from __future__ import annotations

from dataclasses import dataclass, field

# What is expected of a worker's private memory when it has done its work.
GROWS = "grows"  # by at least half of the data
STAYS = "stays"  # within a tenth of the data
LOADS = "loads"  # it is there before any work: each worker has its own
RECYCLED = "recycled"  # less than one full copy, and not more copied for it
# ... and of all processes together, from the least to the most workers.
LINEAR = "linear"
CONSTANT = "constant"


@dataclass(frozen=True)
class Scenario:
    name: str
    claim: str
    kind: str  # of data.py
    expect: str
    how: str = "read"  # write, idle
    preload: bool = True
    workers: tuple[int, ...] = (3,)
    share: float = 1.0  # of the items
    # None: forked.py. Else gunicorn, with these lines in gunicorn.conf.py.
    gunicorn: str | None = ""
    options: tuple[str, ...] = ()  # of forked.py
    rounds: int = 1  # how often each worker is asked
    article: bool = True
    small: bool = True  # is part of the small form
    needs: tuple[str, ...] = field(default=())
    note: str = ""  # what the numbers do not say


def plain(name: str, claim: str, kind: str, expect: str, *options: str, share: float = 1.0, small: bool = False,
          note: str = "") -> Scenario:
    return Scenario(name, claim, kind, expect, share=share, gunicorn=None, options=options, article=False, small=small,
                    note=note)


GROWTH = (1, 2, 4, 8)
TENTH = 0.1
FREEZING = "Up to 3.13, freezing moves whole lists of objects and writes to their ends only, so it is not too late."

SCENARIOS = (
    # --- the article, in its order ---
    Scenario("no preload", "memory grows linearly with the number of workers", "list", LINEAR, how="idle", preload=False,
             workers=GROWTH),
    Scenario("preload", "memory is constant, whatever the number of workers", "list", CONSTANT, how="idle",
             workers=GROWTH),
    Scenario("preload, read", "each worker grows to almost one full copy", "list", GROWS, workers=(1, 2, 3, 4, 8)),
    Scenario("joblib list, read", "very small difference after access", "joblib", STAYS, needs=("joblib",),
             note="What joblib.load() gives back is again a list of int objects."),
    Scenario("numpy array, read", "very small difference after access", "numpy", STAYS, needs=("numpy",)),
    Scenario("pandas columns, read", "very small difference, as the inner data is a numpy array", "pandas", STAYS,
             needs=("pandas",)),
    Scenario("anonymous mmap, read", "zero overhead", "mmap", STAYS),
    Scenario("anonymous mmap, written", "writes do not copy either", "mmap", STAYS, how="write", small=False),
    Scenario("mmap of a file, read", "zero overhead", "file", STAYS),
    Scenario("mmap of a file, written", "writes do not copy either", "file", STAYS, how="write", small=False),
    Scenario("shared_memory, read", "an easier way to share", "shm", STAYS),
    Scenario("shared_memory, written", "an easier way to share writable memory", "shm", STAYS, how="write",
             small=False),
    # --- what it leaves out: other data ---
    plain("private mmap of a file, read", "ACCESS_COPY is as good, while it is only read", "private-file", STAYS),
    plain("array.array, read", "raw memory, like numpy", "array", STAYS, small=True),
    plain("dict of str, read", "grows like the list", "dict", GROWS, share=TENTH),
    plain("dataclasses, read", "grow like the list", "records", GROWS, share=TENTH),
    plain("dataclasses with slots, read", "grow like the list: less memory, as many counts", "slots", GROWS, share=TENTH),
    plain("numpy object array, read", "an array of references: grows like the list", "objects", GROWS, share=TENTH),
    # --- the garbage collector: workers make new objects until it looks at the 'lists' ---
    plain("collector, as it is", "a full collection writes to all shared objects", "lists", GROWS, share=TENTH,
          small=True),
    plain("gc.freeze() before the fork", "keeps the collector away", "lists", STAYS, "freeze-before", share=TENTH,
          small=True),
    plain("gc.collect(), gc.freeze() before the fork", "keeps the collector away", "lists", STAYS,
          "collect-freeze-before", share=TENTH),
    plain("gc.freeze() after the fork", "too late: it writes to all objects itself", "lists", GROWS, "freeze-after",
          share=TENTH, note=FREEZING),
    plain("gc.disable() after the fork", "keeps the collector away", "lists", STAYS, "disable-after", share=TENTH),
    Scenario("gc.freeze() in pre_fork", "keeps gunicorn's collector away", "lists", STAYS, share=TENTH, article=False,
             small=False, gunicorn="import gc\ndef pre_fork(server, worker):\n    gc.freeze()\n"),
    Scenario("gc.freeze() in post_fork", "too late: it writes to all objects itself", "lists", GROWS, share=TENTH,
             article=False, small=False, gunicorn="import gc\ndef post_fork(server, worker):\n    gc.freeze()\n",
             note=FREEZING),
    # --- how workers come and go ---
    plain("multiprocessing, fork", "workers share what the parent has", "array", STAYS, "fork"),
    plain("multiprocessing, forkserver", "nothing is shared: each process makes its own", "array", LOADS, "forkserver"),
    plain("multiprocessing, spawn", "nothing is shared: each process makes its own", "array", LOADS, "spawn"),
    Scenario("workers are recycled", "recycling gives the memory back", "list", RECYCLED, article=False, small=False,
             rounds=9, gunicorn="max_requests = 6\n",
             note="A worker that ends copies what it takes apart, and its successor reads all again."),
    # --- code ---
    plain("functions, first run in the workers", "running code copies it: inline caches (3.11+)", "code", GROWS),
    plain("functions, run before the fork", "warm code stays shared", "code", STAYS, "warm",
          note="Its caches do; the constants that it reads are objects with counts."),
)
