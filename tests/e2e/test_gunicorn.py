# SPDX-License-Identifier: MIT
"""The real thing: a Flask app under gunicorn --preload with three workers, asked over HTTP."""
from __future__ import annotations

import json
import shutil
import signal
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import pythons
from cow import Live, Report, as_the_kernel_counts, line_of, show_sites, target, total, wait_for

ITEMS = 2_000_003
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port: int, path: str) -> Any:
    with OPENER.open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return json.load(answer)


def is_up(port: int) -> bool:
    try:
        return bool(ask(port, "/pid"))
    except (urllib.error.URLError, ConnectionError):
        return False


def sum_in_each_worker(port: int) -> dict[int, int]:
    """First growth of each of the three workers."""
    grown: dict[int, int] = {}
    with ThreadPoolExecutor(3) as pool:
        for _ in range(40):
            for answer in pool.map(lambda _: ask(port, "/sum"), range(3)):
                assert answer["total"] == ITEMS * (ITEMS - 1) // 2
                grown.setdefault(answer["pid"], answer["grown"])
            if len(grown) == 3:
                return grown
    raise AssertionError(f"only {len(grown)} of 3 workers answered")


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Report, dict[int, int], str, int]]:
    python = pythons.system()
    gunicorn = shutil.which("gunicorn", path="/usr/bin") or shutil.which("gunicorn3", path="/usr/bin")
    assert gunicorn, "gunicorn is missing; scripts/setup test installs it"
    # A place that nobody, as whom the service runs, can read.
    import tempfile

    place = Path(tempfile.mkdtemp(prefix="cowtrace-gunicorn-"))
    place.chmod(0o755)
    for name in ("flask_app.py", "truth.py"):
        shutil.copy(target(name), place / name)
        (place / name).chmod(0o644)
    port = free_port()
    command = [python, gunicorn, "--preload", "-w", "3", "-b", f"127.0.0.1:{port}", "--timeout", "120",
               "--chdir", str(place), "flask_app:app"]
    try:
        with Live(["--delayacct", "-u", "nobody"], command, env={"BIG_N": str(ITEMS)}) as live:
            wait_for("the server is up", lambda: live.process.poll() is not None or is_up(port))
            assert live.process.poll() is None, live.stderr()
            grown = sum_in_each_worker(port)
            live.process.send_signal(signal.SIGTERM)
            status = live.process.wait(60)
            yield live.report(), grown, live.stderr(), status
    finally:
        shutil.rmtree(place, ignore_errors=True)


def test_gunicorn_ends_as_it_would_alone(served) -> None:
    assert served[3] == 0


def test_top_site_is_the_line_that_loops(served) -> None:
    report, _, text, _ = served
    top = max(report["sites"], key=lambda s: s["copies"])
    assert Path(top["file"]).name == "flask_app.py", show_sites(report)
    assert top["line"] == line_of(target("flask_app.py"), "total")
    assert (top["function"], top["cause"], top["type"]) == ("BigApp.total", "refcount", "int")
    assert f"flask_app.py:{top['line']} in BigApp.total" in text


def test_copied_bytes_match_the_workers_growth(served) -> None:
    report, grown, text, _ = served
    del text
    loop = [s for s in report["sites"] if s["function"] == "BigApp.total"]
    copied = sum(s["copied_bytes"] for s in loop)
    assert abs(copied - sum(grown.values())) <= 0.01 * sum(grown.values())
    for process in report["processes"]:
        if process["pid"] in grown:
            # A worker also copies what importing, serving and exiting write.
            assert process["copied_bytes"] >= 0.99 * grown[process["pid"]]


def test_closure(served) -> None:
    capture = served[0]["capture"]
    assert capture["lost"] == 0
    assert abs(as_the_kernel_counts(served[0]) - capture["kernel_copies"]) <= 0.005 * capture["kernel_copies"], capture


def test_master_is_not_blamed(served) -> None:
    report, grown, _, _ = served
    parents = {p["ppid"] for p in report["processes"] if p["pid"] in grown}
    assert len(parents) == 1
    master = next(p for p in report["processes"] if p["pid"] in parents)
    assert master["copies"] <= 0.05 * report["capture"]["copies"], master


def test_little_is_unknown(served) -> None:
    report = served[0]
    assert total(report["causes"], cause="unknown") <= 0.03 * report["capture"]["copies"], (
        show_sites(report)
    )
