# SPDX-License-Identifier: MIT
"""Clients that mean no good, and a machine that has nothing left: serve goes on, and so does the service."""
from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cow import wait_for
from serving import MEMORY_MAX, Serving
from test_serve import Forker, wait_for_buffers

CONNECTIONS = 64  # that the HTTP process takes at once


@pytest.fixture()
def watched(any_python: str) -> Iterator[tuple[Forker, Serving]]:
    with Forker(any_python, pages=20011) as service, Serving(["-p", str(service.pid)]) as server:
        yield service, server


def connect(server: Serving) -> socket.socket:
    s = socket.create_connection(("127.0.0.1", server.port), timeout=60)
    s.settimeout(60)
    return s


def answer(s: socket.socket) -> bytes:
    """All that comes until the other side has closed, or has had enough."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while chunk := s.recv(65536):
            data += chunk
    return data


def assert_well(service: Forker, server: Serving, written: int) -> None:
    """Both are as before: the same HTTP process, and nothing is lost."""
    service.write(1009)
    page = wait_for_buffers(server, 3 * (written + 1009))
    assert page.sum("cowtrace_lost_events_total") == 0
    assert page.value("cowtrace_http_starts_total") == 1, server.stderr()
    assert page.value("process_resident_memory_bytes") < MEMORY_MAX


def test_ten_megabytes_of_headers(watched: tuple[Forker, Serving]) -> None:
    service, server = watched
    with connect(server) as s:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        with contextlib.suppress(ConnectionError):
            for i in range(10_000):
                s.sendall(b"X-%05d: " % i + b"a" * 1014 + b"\r\n")
            s.sendall(b"\r\n")
        assert b" 200 " not in answer(s)
    with connect(server) as s:
        with contextlib.suppress(ConnectionError):
            s.sendall(b"GET /" + b"a" * (10 << 20) + b" HTTP/1.1\r\n\r\n")
        assert b" 200 " not in answer(s)
    assert_well(service, server, 0)


def test_bodies_are_not_taken(watched: tuple[Forker, Serving]) -> None:
    service, server = watched
    for method in (b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"FROB"):
        with connect(server) as s:
            with contextlib.suppress(OSError):  # it has hung up, perhaps before all was sent
                s.sendall(method + b" /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\nConnection: close"
                          b"\r\n\r\n" + b"a" * 1_000_000)
                s.shutdown(socket.SHUT_WR)
            assert not answer(s).startswith(b"HTTP/1.1 200"), method
    assert_well(service, server, 0)


def test_slowloris_is_shown_the_door(watched: tuple[Forker, Serving]) -> None:
    """A byte now and then, on more connections than there are places."""
    service, server = watched
    slow = [connect(server) for _ in range(CONNECTIONS + 13)]
    try:
        for s in slow:
            s.sendall(b"GET /metrics HTTP/1.1\r\n")
        end = time.monotonic() + 60
        open_ones = list(slow)
        while open_ones and time.monotonic() < end:
            for s in list(open_ones):
                try:
                    s.sendall(b"X")
                    s.settimeout(0.001)
                    if not s.recv(1):
                        open_ones.remove(s)
                except TimeoutError:
                    pass
                except OSError:
                    open_ones.remove(s)
            time.sleep(0.5)
        assert not open_ones, f"{len(open_ones)} connections are open after 60 s"
        assert server.get("/healthz")[0] == 200
    finally:
        for s in slow:
            s.close()
    assert_well(service, server, 0)


def test_who_asks_and_does_not_read(watched: tuple[Forker, Serving]) -> None:
    service, server = watched
    service.write(211)
    wait_for_buffers(server, 633)
    deaf = []
    for _ in range(20):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        s.connect(("127.0.0.1", server.port))
        s.sendall(b"GET /report HTTP/1.1\r\nHost: x\r\n\r\nGET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        deaf.append(s)
    assert server.get("/healthz")[0] == 200
    for s in deaf:
        s.close()
    assert_well(service, server, 211)


def test_a_thousand_connections(watched: tuple[Forker, Serving]) -> None:
    service, server = watched
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    many: list[socket.socket] = []
    try:
        for _ in range(1000):
            s = socket.socket()
            s.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                s.connect(("127.0.0.1", server.port))
            many.append(s)
        time.sleep(1)
        service.write(503)
    finally:
        for s in many:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    wait_for("it answers", lambda: server.get("/healthz")[0] == 200)
    assert_well(service, server, 503)


def damaged(rng: random.Random) -> bytes:
    request = bytearray(rng.choice([
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: application/openmetrics-text\r\n\r\n",
        b"GET /debug/pprof/copies?seconds=1&seconds=2 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"HEAD /report HTTP/1.0\r\n\r\n",
        b"GET /%2e%2e/%00/metrics?%ff=%zz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    ]))
    for _ in range(rng.randrange(1, 12)):
        at = rng.randrange(len(request) + 1)
        match rng.randrange(3):
            case 0:
                request[at:at + 1] = bytes([rng.randrange(256)])
            case 1:
                del request[at:at + rng.randrange(9)]
            case _:
                request[at:at] = request[:rng.randrange(40)]
    return bytes(request)


def test_damaged_requests(watched: tuple[Forker, Serving]) -> None:
    service, server = watched
    rng = random.Random(23)
    for _ in range(1500):
        with connect(server) as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(damaged(rng))
                s.shutdown(socket.SHUT_WR)
                s.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    s.recv(65536)
    assert server.get("/metrics")[0] == 200
    assert_well(service, server, 0)


def test_the_http_process_is_stopped(watched: tuple[Forker, Serving]) -> None:
    """It holds what it was given and takes no more: tracing does not wait for it."""
    service, server = watched
    pid = wait_for("it is there", server.http_process)
    asking = [connect(server) for _ in range(20)]
    for s in asking:
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    os.kill(pid, signal.SIGSTOP)
    service.write(5003)
    os.kill(pid, signal.SIGCONT)
    for s in asking:
        s.close()
    page = wait_for_buffers(server, 3 * 5003)
    assert page.sum("cowtrace_lost_events_total") == 0


def test_the_http_process_dies_again_and_again(watched: tuple[Forker, Serving]) -> None:
    service, server = watched
    for _ in range(4):
        os.kill(wait_for("it is there", server.http_process), signal.SIGKILL)
        service.write(211)
        wait_for("it is gone", lambda: server.http_process() is None)
    wait_for("it is there", server.http_process)
    page = wait_for_buffers(server, 4 * 3 * 211)
    assert page.value("cowtrace_http_starts_total") == 5


def test_no_file_descriptors_left(any_python: str) -> None:
    """For the tracer: it says so in its metrics, and counts on."""
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used, used))
        service.write(307)
        page = wait_for_buffers(server, 921)
        assert page.value("process_max_fds") == used
        assert server.stop() == 0


def test_a_flood(any_python: str) -> None:
    """More than the ring holds while the daemon stands still: what is lost is counted."""
    with Forker(any_python, pages=40009) as service, \
            Serving(["-p", str(service.pid), "--ring-size", "64K"]) as server:
        server.process.send_signal(signal.SIGSTOP)
        service.write(40009)
        server.process.send_signal(signal.SIGCONT)

        def closed() -> bool:
            page = server.metrics()
            lost = page.value("cowtrace_lost_events_total", reason="ring_full")
            counted = page.sum("cowtrace_copies_total")
            return lost > 1000 and counted + lost >= 3 * 40009

        wait_for("what is counted and what is lost is all", closed)
        assert server.stop() == 0


