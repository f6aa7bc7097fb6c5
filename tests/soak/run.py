#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py [--minutes N]: `cowtrace serve`, while gunicorn replaces its workers, a master has children that live for a
quarter of a second, and bursts of children fork children; the same pids come again and again. What is counted is what
the kernel itself has counted, and memory and descriptors stay as they are. Prints what it measures; status 1 if that is
not so.

Closure: for each thread that has ended, the kernel says how many copies it made (wpcopy_count of taskstats). cowtrace has
to have counted as many, and none more, in all and for each service; what is lost has to be on the page as lost. There
is no tolerance: with nothing lost the numbers are equal. (A copy that the kernel threw away, because the page had changed
meanwhile, it counts, too: their number is on the page, and printed.) Only if another program switches delay accounting off meanwhile
(tests/e2e/test_counts.py does), the kernel's count lacks what was copied then; so many more are allowed, and it is said."""
from __future__ import annotations

import argparse
import contextlib
import os
import platform
import sys
import time
from collections.abc import Sequence

from kernel import ROOT, Ended, Switch  # which makes the next ones known

from cow import wait_for
from services import HERE, PYTHON, Gunicorn, Service, free_pids
from serving import Page, Serving
from taskstats import delay_accounting

MIB = 1 << 20
PIDS = 256
# So that a short run has them, too, on whatever machine.
AT_LEAST = {"churn.py": 500, "bomb.py": 1000, "gunicorn": 30}


def sample(server: Serving, start: float) -> dict[str, float]:
    page = server.metrics()
    return {
        "seconds": time.monotonic() - start,
        "rss": page.value("process_resident_memory_bytes") / MIB,
        "fds": page.value("process_open_fds"),
        "cpu": page.value("process_cpu_seconds_total"),
        "copies": page.sum("cowtrace_copies_total"),
        "lost": page.sum("cowtrace_lost_events_total"),
        "renewals": page.sum("cowtrace_renewals_total"),
    }


def watch(server: Serving, kernel: Ended, switch: Switch, services: Sequence[Service],
          seconds: float) -> tuple[list[dict[str, float]], int]:
    """What was measured, and how much was copied around the times when the kernel did not count."""
    start, samples, said = time.monotonic(), [sample(server, time.monotonic())], 0.0
    unknown = recent = 0
    every = max(1.0, seconds / 240)
    while time.monotonic() < start + seconds or any(kernel.threads[s.gid] < AT_LEAST[s.name] for s in services):
        time.sleep(every)
        kernel.take()
        samples.append(sample(server, start))
        s = samples[-1]
        # Workers that were forked meanwhile live on.
        recent = 3 if switch.take() else recent - 1
        unknown += int(s["copies"] - samples[-2]["copies"]) if recent > 0 else 0
        if s["seconds"] >= said:
            said += max(10.0, seconds / 30)
            for page in ("/report", "/flamegraph.svg", "/debug/pprof/copies?seconds=1"):
                server.get(page)  # as somebody looks
            print(f"{s['seconds']:6.0f} s  {s['rss']:6.1f} MiB  {s['fds']:4.0f} fds  {s['cpu']:7.2f} s CPU  "
                  f"{s['copies']:10.0f} copies  {s['lost']:6.0f} lost  "
                  f"{sum(kernel.threads[service.gid] for service in services):7} threads ended",
                  flush=True)
    return samples[1:], unknown


def counted(page: Page, **labels: str) -> int:
    """As the kernel counts."""
    return int(page.sum("cowtrace_copies_total", **labels)
               - page.sum("cowtrace_copies_uncounted_by_kernel_total", **labels))


def judge_counts(page: Page, kernel: Ended, services: Sequence[Service], written: dict[str, int],
                 unknown: int) -> list[str]:
    """With losses, each may have been one that the kernel has counted, or one that it leaves out."""
    lost = int(page.sum("cowtrace_lost_events_total"))
    # Tried twice by the kernel, and counted twice by it.
    retracted = int(page.sum("cowtrace_retracted_copies_total"))
    # What the shells that they began as have written to is a group of its own.
    early = counted(page, group="sh")
    wrong, sums = [], 0
    if unknown:
        print(f"delay accounting was switched off by another program for a while, in which {unknown} copies were counted")
    for s in services:
        count, truth = counted(page, group=s.name), kernel.copies[s.gid] - s.before
        sums += truth
        pids = kernel.pids[s.gid]
        print(f"{s.name}: {len(pids)} pids for {kernel.threads[s.gid]} threads, one of them {max(pids.values())} times; "
              f"{written[s.name]} pages written, {truth} copies counted by the kernel, {count} by cowtrace")
        if not truth - lost - early - retracted <= count <= truth + unknown:
            wrong.append(f"the counts of {s.name} do not close")
        if count < written[s.name] - lost:
            wrong.append(f"{s.name} has written to more pages")
    all_of_them = counted(page)
    print(f"in all: {sums} copies counted by the kernel, {all_of_them} by cowtrace, {lost} lost, "
          f"{retracted} thrown away by the kernel, which it counts, "
          f"{page.sum('cowtrace_copies_uncounted_by_kernel_total'):.0f} besides that the kernel leaves out")
    if not sums - lost - retracted <= all_of_them <= sums + unknown:
        wrong.append("the counts do not close")
    return wrong


def judge_reuse(kernel: Ended, services: Sequence[Service]) -> list[str]:
    seen = [set(kernel.pids[s.gid]) for s in services]
    shared = len(seen[0] & seen[1])
    print(f"{shared} pids were those of one service and then of the other")
    return [] if shared >= PIDS // 4 else ["pids did not come again"]


def judge_growth(first: dict[str, float], samples: list[dict[str, float]], last: dict[str, float]) -> list[str]:
    """The second third next to the last one; in the first one it learns what there is, which takes some minutes."""
    third = len(samples) // 3
    parts = (samples[third:2 * third], samples[2 * third:])
    rss = [max(s["rss"] for s in part) for part in parts]
    fds = [max(s["fds"] for s in part) for part in parts]
    seconds = last["seconds"]
    print(f"memory {rss[0]:.1f} then {rss[1]:.1f} MiB, descriptors {fds[0]:.0f} then {fds[1]:.0f}, {first['fds']:.0f} before "
          f"and {last['fds']:.0f} after all; {100 * last['cpu'] / seconds:.2f} % of a core at {last['copies'] / seconds:.0f} copies a second; "
          f"{last['renewals']:.0f} renewals")
    wrong = []
    if rss[1] > rss[0] + (1.5 if seconds > 900 else 4):
        wrong.append("memory grows")
    if max(rss) > 64:
        wrong.append("more than 64 MiB")
    if fds[1] > fds[0] + 8 or last["fds"] > max(fds) + 8:
        wrong.append("descriptors grow")
    return wrong


def soak(seconds: float) -> list[str]:
    pids = [str(free_pids(PIDS)), str(PIDS)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(delay_accounting())
        kernel, switch = stack.enter_context(Ended()), stack.enter_context(Switch())
        services = [stack.enter_context(s) for s in (
            Service("churn.py", [PYTHON, str(HERE / "churn.py"), "4", "211", *pids], kernel),
            Service("bomb.py", [PYTHON, str(HERE / "bomb.py"), "23", "1", *pids], kernel),
            Gunicorn(kernel, 10))]
        server = stack.enter_context(Serving(["-p", ",".join(str(s.process.pid) for s in services)]))
        start = time.monotonic()
        first = sample(server, start)
        for s in services:
            s.go()
        samples, unknown = watch(server, kernel, switch, services, seconds)
        written = {s.name: s.stop() for s in services}
        wait_for("all of them have ended", lambda: server.metrics().sum("cowtrace_processes") == 0)
        time.sleep(1)  # the last copies settle
        kernel.take()
        page = server.metrics()
        wrong = judge_counts(page, kernel, services, written, unknown)
        wrong += judge_reuse(kernel, services)
        wrong += judge_growth(first, samples, sample(server, start))
        print(f"gunicorn: {services[2].answers} answers, {services[2].failures} refused while a worker was replaced")
        if server.stop() != 0:
            wrong.append("serve ended badly")
        return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3)
    minutes = parser.parse_args().minutes
    print(f"Linux {platform.release()}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {minutes:g} minutes",
          flush=True)
    wrong = soak(minutes * 60)
    for what in wrong:
        print(f"soak: {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
