# SPDX-License-Identifier: MIT
"""serve for some time, while workers come and go by the thousand: what is counted is what was written, and memory
and descriptors stay as they are. Prints what it measures; status 1 if that is not so."""
from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from cow import environment, target, wait_for  # noqa: E402
from serving import OPENER, Page, Serving, free_port  # noqa: E402

WORKERS, PAGES = 8, 211
MIB = 1 << 20


def ask(url: str) -> None:
    try:
        with OPENER.open(url, timeout=30) as answer:
            answer.read()
    except OSError:
        pass  # a worker that has just ended


def load(port: int, until: threading.Event) -> None:
    while not until.is_set():
        ask(f"http://127.0.0.1:{port}/sum")
        until.wait(0.1)


class Gunicorn:
    """Workers that are replaced after a few requests each."""

    def __init__(self) -> None:
        program = shutil.which("gunicorn", path="/usr/bin")
        assert program, "gunicorn is missing; scripts/setup test installs it"
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-soak-")
        for name in ("flask_app.py", "truth.py"):
            shutil.copy(target(name), self.place.name)
        self.port = free_port()
        self.process = subprocess.Popen(
            ["/usr/bin/python3", program, "--preload", "-w", "2", "--max-requests", "20", "--log-level", "critical",
             "-b", f"127.0.0.1:{self.port}", "--chdir", self.place.name, "flask_app:app"],
            env=environment({"BIG_N": "100003"}))
        self.over = threading.Event()
        self.clients = [threading.Thread(target=load, args=(self.port, self.over)) for _ in range(2)]

    def __enter__(self) -> Gunicorn:
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for client in self.clients:
            client.join()
        self.process.terminate()
        self.process.wait(30)
        self.place.cleanup()


def sample(page: Page, start: float) -> dict[str, float]:
    return {
        "seconds": time.monotonic() - start,
        "rss": page.value("process_resident_memory_bytes") / MIB,
        "fds": page.value("process_open_fds"),
        "cpu": page.value("process_cpu_seconds_total"),
        "copies": page.sum("cowtrace_copies_total"),
        "lost": page.sum("cowtrace_lost_events_total"),
    }


def watch(server: Serving, seconds: float) -> list[dict[str, float]]:
    start, samples = time.monotonic(), []
    while time.monotonic() < start + seconds:
        time.sleep(min(5, seconds / 12))
        samples.append(sample(server.metrics(), start))
        s = samples[-1]
        print(f"{s['seconds']:6.0f} s  {s['rss']:6.1f} MiB  {s['fds']:4.0f} fds  {s['cpu']:7.2f} s CPU  "
              f"{s['copies']:10.0f} copies  {s['lost']:6.0f} lost", flush=True)
    return samples


def judge(samples: list[dict[str, float]], written: int, page: Page) -> list[str]:
    third = len(samples) // 3
    rss = [max(s["rss"] for s in part) for part in (samples[third:2 * third], samples[2 * third:])]
    fds = [max(s["fds"] for s in part) for part in (samples[third:2 * third], samples[2 * third:])]
    counted = page.sum("cowtrace_copies_total", group="churn.py", cause="buffer")
    lost = page.sum("cowtrace_lost_events_total")
    print(f"{written} pages written, {counted:.0f} counted, {lost:.0f} lost; memory {rss[0]:.1f} then {rss[1]:.1f} MiB, "
          f"descriptors {fds[0]:.0f} then {fds[1]:.0f}")
    wrong = []
    # On a machine that has other things to do some may be lost: these are counted, of whichever service they were.
    if lost > 0.05 * page.sum("cowtrace_copies_total"):
        wrong.append("many copies were lost")
    if not written - lost <= counted <= written * 1.01:
        wrong.append("the counts do not close")
    if rss[1] > rss[0] + 1.5:
        wrong.append("memory grows")
    if rss[1] > 64:
        wrong.append("more than 64 MiB")
    if fds[1] > fds[0] + 4:
        wrong.append("descriptors grow")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    minutes = parser.parse_args().minutes
    churn = subprocess.Popen(["/usr/bin/python3", str(Path(__file__).with_name("churn.py")), str(WORKERS), str(PAGES)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment())
    pid = 0
    try:
        # Nothing is forked before it is watched: the first fork is seen.
        churn.send_signal(19)
        with Gunicorn() as gunicorn, Serving(["-p", f"{churn.pid},{gunicorn.process.pid}"]) as server:
            churn.send_signal(18)
            pid = json.loads(churn.stdout.readline())["pid"]
            samples = watch(server, minutes * 60)
            churn.stdin.close()
            forked = json.loads(churn.stdout.readline())["forked"]
            print(f"process {pid} has forked {forked} workers")
            wait_for("all of them have ended", lambda: server.metrics().sum(
                "cowtrace_processes", group="churn.py") <= 1)
            wrong = judge(samples, forked * PAGES, server.metrics())
            churn.wait(30)
    finally:
        if churn.poll() is None:
            churn.kill()
            churn.wait()
    for what in wrong:
        print(f"soak: {what}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
