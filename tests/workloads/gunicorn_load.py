# SPDX-License-Identifier: MIT
"""The Flask application of web.py as it is deployed: gunicorn --preload with four workers, asked over HTTP.

"gunicorn" ends with SIGKILL for all: its copies are those of the requests. "gunicorn-end" ends as a service
manager ends it: each worker takes its Python apart, and that writes to objects without any line of Python."""
from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import measure
import web_urls
from versions import Interpreter, cow

REQUESTS = 1000


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, (path, answer.status, text)
    return text


def wait_until_up(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert process.poll() is None, f"gunicorn ended with {process.returncode}"
        try:
            ask(port, "/product/1")
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("gunicorn does not answer")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def kill_all(cowtrace: int) -> None:
    """The master first stands still, so that it neither replaces a worker nor tells it to end."""
    (master,) = children(cowtrace)
    os.kill(master, signal.SIGSTOP)
    for pid in [*children(master), master]:
        os.kill(pid, signal.SIGKILL)


def serve(argv: list[str], env: dict[str, str], port: int, name: str) -> None:
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until_up(port, process)
            for number in range(REQUESTS):
                ask(port, "%s?%s" % web_urls.url(number))
            if name == "gunicorn":
                kill_all(process.pid)
            else:
                process.send_signal(signal.SIGTERM)
            want = 0 if name == "gunicorn-end" else 128 + signal.SIGKILL
            assert process.wait(60) == want, f"gunicorn ended with {process.returncode}"
        finally:
            if process.poll() is None:
                process.kill()


def run(interpreter: Interpreter, name: str) -> measure.Cell:
    cell = measure.Cell(name, interpreter.version, "default", False,
                        interpreter.lacks("flask") or interpreter.lacks("gunicorn"))
    if cell.missing:
        return cell
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="cowtrace-") as place:
        js, folded = Path(place, "report.json"), Path(place, "stacks.folded")
        argv = [str(cow.COWTRACE), "run", "-q", "--delayacct", "--json", str(js), "--folded", str(folded), "--",
                *interpreter.command, "-m", "gunicorn", "--preload", "-w", "4", "-b", f"127.0.0.1:{port}",
                "--chdir", interpreter.inside, "web:app"]
        serve(argv, interpreter.environment(), port, name)
        fill(cell, json.loads(js.read_text()), folded.read_text().splitlines())
    return cell


def fill(cell: measure.Cell, report: dict[str, Any], stacks: list[str]) -> None:
    """The master is the process that was not forked; its children are the workers."""
    master = min(p["pid"] for p in report["processes"] if p["python"] and not p["forked"])
    pids = {p["pid"] for p in report["processes"] if p["ppid"] == master and p["forked"]}
    python = next(p["python"] for p in report["processes"] if p["pid"] == master)
    truth = [{"python": python, "modules": {}}] + [{"pid": pid, "answer": 0, "collections": []} for pid in pids]
    measure.fill(cell, report, stacks, truth)
