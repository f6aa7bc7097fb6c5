# SPDX-License-Identifier: MIT
"""The real thing: uWSGI, a C program that loads libpython with a plug-in, with two workers that it forks after
it has loaded the application."""
from __future__ import annotations

import shutil
import signal
import socket
import urllib.error
import urllib.request
from pathlib import Path

from cow import Live, assert_closed, at_line, show_sites, target, wait_for

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port: int, path: str) -> str:
    with OPENER.open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return answer.read().decode()


def each_worker_answers(port: int, path: str) -> bool:
    """Which of them takes a request is the kernel's choice."""
    try:
        return {ask(port, path) for _ in range(20)} == {"worker 1\n", "worker 2\n"}
    except (urllib.error.URLError, ConnectionError):
        return False


def test_uwsgi() -> None:
    uwsgi = shutil.which("uwsgi_python3", path="/usr/bin")
    assert uwsgi, "uwsgi_python3 is missing; scripts/setup test installs it"
    path, port = target("uwsgi_app.py"), free_port()
    command = [uwsgi, "--http-socket", f"127.0.0.1:{port}", "--master", "--workers", "2", "--die-on-term",
               "--pythonpath", str(Path(path).parent), "--wsgi", "uwsgi_app", "--need-app"]
    with Live(["--delayacct"], command) as live:
        wait_for("an answer of each worker", lambda: live.process.poll() is not None or
                 each_worker_answers(port, "/bytes"))
        assert live.process.poll() is None, live.stderr()
        wait_for("another answer of each worker", lambda: each_worker_answers(port, "/str"))
        live.process.send_signal(signal.SIGTERM)
        live.process.wait(60)
        report = live.report()
    # Every worker copies each of these pages once, with its first request.
    for kind, count in (("bytes", 23), ("str", 19)):
        assert at_line(report, path, kind, cause="refcount", type=kind) == 2 * count, show_sites(report)
    workers = [p for p in report["processes"] if p["ppid"] != 0 and p["copies"] >= 23 + 19]
    assert len(workers) == 2 and all(w["python"] for w in workers), report["processes"]
    assert_closed(report)
