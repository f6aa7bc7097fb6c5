# SPDX-License-Identifier: MIT
"""cowtrace serve: what it counts, whom it finds, and what its two processes may."""
from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from attached import Pipes
from cow import COWTRACE, PAGE, environment, target, wait_for
from serving import Page, Serving

FORKER = target("forker.py")
GROUP = "forker.py"
CAUSES = {"refcount", "gc-header", "inline-cache", "lazy-cache", "mutation", "allocator", "native-data", "stack",
          "buffer", "kernel-write", "unknown"}
CONTRACT = {"cowtrace_copies_total": {"group", "cause"}, "cowtrace_copied_bytes_total": {"group", "cause"},
            "cowtrace_reuses_total": {"group"}, "cowtrace_lost_events_total": {"reason"},
            "cowtrace_shared_bytes": {"group"}, "cowtrace_shared_at_fork_bytes": {"group"},
            "cowtrace_new_bytes": {"group"}, "cowtrace_processes": {"group"}, "cowtrace_build_info": {"version"},
            "cowtrace_capture_info": {"witness"}}


class Forker(Pipes):
    """tests/targets/forker.py"""

    def __init__(self, python: str, pages: int = 5003, workers: int = 3, **kwargs):
        super().__init__([python, FORKER, str(pages), str(workers)], **kwargs)
        self.workers: list[int] = self.answer()["workers"]

    def write(self, pages: int) -> None:
        self.ask(f"write {pages}")


def buffers(page: Page, group: str = GROUP) -> float:
    """Copies of pages of the mapping that the workers write to; first writes of Python's own are others."""
    return page.sum("cowtrace_copies_total", group=group, cause="buffer")


def wait_for_buffers(server: Serving, n: int, group: str = GROUP, workers: int = 4) -> Page:
    """Each worker may write to some buffers of Python's own besides."""
    def look() -> Page | None:
        page = server.metrics()
        assert buffers(page, group) <= n + 8 * workers, page.text
        return page if buffers(page, group) >= n - 7 else None

    return wait_for(f"{n} copies", look)


# --- numbers ------------------------------------------------------------------------------------------------


def test_known_copies_are_on_the_page(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        before = server.metrics()
        assert before.value("cowtrace_processes", group=GROUP) == 4
        assert {labels["cause"] for labels, _ in before.all("cowtrace_copies_total", group=GROUP)} == CAUSES
        assert buffers(before) == 0
        service.write(1009)
        page = wait_for_buffers(server, 3 * 1009)
        copies = page.sum("cowtrace_copies_total", group=GROUP)
        assert page.sum("cowtrace_copied_bytes_total", group=GROUP) == copies * PAGE
        assert 5003 * 3 * PAGE <= page.value("cowtrace_shared_at_fork_bytes", group=GROUP)
        then = page.value("cowtrace_shared_at_fork_bytes", group=GROUP)
        wait_for("it is no longer shared", lambda: server.metrics().value(  # looked at now and then
            "cowtrace_shared_bytes", group=GROUP) <= then - 3 * 1009 * PAGE)
        assert page.sum("cowtrace_lost_events_total") == 0
        assert page.value("cowtrace_python_layouts_total", result="resolved") >= 1
        assert page.value("cowtrace_events_total") >= copies


def test_the_page_keeps_the_contract(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(101)
        page = wait_for_buffers(server, 303)
        for name, labels in CONTRACT.items():
            assert page.all(name), name
            for has, _ in page.all(name):
                assert set(has) == labels, (name, has)
        for pid in [service.pid, *service.workers]:
            assert not re.search(rf"\b{pid}\b", re.sub(r"\S+$", "", page.text, flags=re.M)), pid
        assert "write_pages" not in page.text


def test_promtool_has_nothing_to_say(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(101)
        text = wait_for_buffers(server, 303).text
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_openmetrics_when_it_is_asked_for(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        _, headers, body = server.get("/metrics", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
        assert body.endswith(b"\n# EOF\n")
        assert b"# TYPE cowtrace_copies counter\n" in body
        _, headers, body = server.get("/metrics", "text/plain")
        assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert b"# EOF" not in body
        assert b"# TYPE cowtrace_copies_total counter\n" in body


# --- whom it finds ------------------------------------------------------------------------------------------


def test_a_service_that_starts_later_and_again(any_python: str, tmp_path: Path) -> None:
    """By its name, which is its group; the counts go on where they were."""
    name = "ct-later"
    python = tmp_path / name
    python.symlink_to(any_python)
    with Serving(["--comm", name]) as server:
        for times in (1, 2):
            with Forker(str(python)) as service:
                wait_for("it is found", lambda: server.metrics().sum("cowtrace_processes", group=name) == 4)
                service.write(503)
                wait_for_buffers(server, times * 3 * 503, name)
            page = wait_for("it is gone", lambda: (p := server.metrics()).sum("cowtrace_processes") == 0 and p)
            assert page.groups() == {"other", name}


def test_every_python_that_forks(any_python: str) -> None:
    with Serving() as server, Forker(any_python, workers=2) as service:
        wait_for("it is found", lambda: server.metrics().sum("cowtrace_processes", group=GROUP) >= 3)
        before = buffers(server.metrics())
        service.write(307)
        wait_for("copies", lambda: buffers(server.metrics()) >= before + 2 * 307)


def test_a_cgroup(any_python: str) -> None:
    """Of version 1 or 2, whichever this machine has; the group is its service."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [m[1] for m in mounts if m[2] == "cgroup2" or (m[2] == "cgroup" and "freezer" in m[3].split(","))]
    place = next((Path(p, "ct-test.service") for p in places if os.access(p, os.W_OK)), None)
    if not place:
        pytest.skip("no cgroup can be made here")
    place.mkdir()
    try:
        inside = lambda: (place / "cgroup.procs").write_text(str(os.getpid()))  # noqa: E731
        with Serving(["--cgroup", f"{place}/" if "cgroup2" in str(place) else "/ct-test.service"]) as server, \
                Forker(any_python) as other, Forker(any_python, preexec_fn=inside) as service:
            wait_for("it is found", lambda: server.metrics().sum("cowtrace_processes") == 4)
            service.write(211)
            other.write(307)
            page = wait_for_buffers(server, 633, "ct-test.service")
            assert page.groups() == {"other", "ct-test.service"}
    finally:
        wait_for("the cgroup is empty", lambda: not (place / "cgroup.procs").read_text())
        place.rmdir()


def test_the_target_is_killed(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(101)
        wait_for_buffers(server, 303)
        for pid in [service.pid, *service.workers]:
            os.kill(pid, signal.SIGKILL)
        service.process.wait()
        page = wait_for("it is gone", lambda: (p := server.metrics()).sum("cowtrace_processes") == 0 and p)
        assert abs(buffers(page) - 303) <= 7
        assert server.stop() == 0


def test_what_is_forgotten_is_learnt_anew(any_python: str) -> None:
    """SIGUSR1 does what happens when memory runs out: counters go on, profiles begin anew."""
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(503)
        wait_for_buffers(server, 1509)
        for times in (1, 2, 3):
            server.process.send_signal(signal.SIGUSR1)
            wait_for("it has forgotten", lambda: server.metrics().value("cowtrace_renewals_total") == times)
            service.write(211)
            page = wait_for_buffers(server, 1509 + times * 633)
            assert page.value("cowtrace_processes", group=GROUP) == 4
            assert page.value("cowtrace_shared_at_fork_bytes", group=GROUP) > 3 * 5003 * PAGE
        assert page.value("cowtrace_python_layouts_total", result="resolved") == 1
        Path(server.place.name, "p.gz").write_bytes(server.drawn("/debug/pprof/copies"))
        top = go_pprof("-top", "-sample_index=copies", str(Path(server.place.name, "p.gz")))
        assert re.search(r"^ +6[2-4]\d .* write_pages$", top, re.M), top


# --- profiles -----------------------------------------------------------------------------------------------


def go_pprof(*args: str) -> str:
    done = subprocess.run(["go", "tool", "pprof", *args], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "no_proxy": "127.0.0.1", "PPROF_TMPDIR": "/tmp"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_go_tool_pprof_of_some_seconds(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(1009)
        wait_for_buffers(server, 3 * 1009)
        asking = subprocess.Popen(["go", "tool", "pprof", "-raw", f"{server.url}/debug/pprof/copies?seconds=5"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env={**os.environ, "no_proxy": "127.0.0.1", "PPROF_TMPDIR": "/tmp"})
        try:
            time.sleep(2)  # within the 5 s: the copies before are not to be in it
            service.write(211)
            out, err = asking.communicate(timeout=60)
        finally:
            asking.kill()
        assert asking.returncode == 0, err
        rows = re.findall(r"^ +(\d+) +(\d+): .*\n +.*cause:\[buffer\]", out, re.M)
        assert abs(sum(int(n) for n, _ in rows) - 633) <= 7, out
        assert "group:[forker.py]" in out and "pid:" not in out, out
        assert "write_pages" in out
        top = go_pprof("-top", "-sample_index=copies", f"{server.url}/debug/pprof/copies")
        assert re.search(r"^ +3[67]\d\d .* write_pages$", top, re.M), top


def test_pages_to_look_at(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(401)
        wait_for_buffers(server, 1203)
        svg = ElementTree.fromstring(server.drawn("/flamegraph.svg"))
        assert svg.tag.endswith("svg")
        assert any("write_pages" in (e.text or "") for e in svg.iter())
        html = server.drawn("/report").decode()
        assert "write_pages" in html and f"forker.py [{service.pid}]" not in html
        status, headers, body = server.get("/")
        assert status == 200 and headers["Content-Type"].startswith("text/html")
        for link in re.findall(r'href="([^"]+)"', body.decode()):
            assert server.get(link.replace("seconds=10", "seconds=1"))[0] in (200, 503), link
        assert server.get("/healthz")[2] == b"ok\n"
        assert server.get("/nothing")[0] == 404
        for wrong in ("0", "601", "-1", "x", "", "1x", "99999999999999999999"):
            assert server.get(f"/debug/pprof/copies?seconds={wrong}")[0] == 400, wrong


def test_more_windows_than_there_are_is_busy(any_python: str) -> None:
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        asking = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(7)]
        for s in asking:
            s.sendall(b"GET /debug/pprof/copies?seconds=2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = [b"".join(iter(lambda s=s: s.recv(65536), b"")) for s in asking]
        for s in asking:
            s.close()
        assert sorted(a[9:12] for a in answers) == [b"200"] * 4 + [b"503"] * 3


# --- two processes ------------------------------------------------------------------------------------------


@pytest.fixture()
def server() -> Iterator[Serving]:
    with Serving(["--comm", "ct-nobody-is-called-so"]) as made:
        wait_for("it answers", lambda: made.get("/healthz")[0] == 200)
        yield made


def status_of(pid: int) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_the_http_process_holds_nothing(server: Serving) -> None:
    pid = server.http_process()
    assert pid
    status = status_of(pid)
    for what in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[what], 16) == 0, what
    assert status["Uid"].split() == ["65534"] * 4
    assert status["Gid"].split() == ["65534"] * 4
    assert status["Groups"].strip() == ""
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    # Three of its own, the socket that listens, the link, and what it waits with.
    wait_for("the connections are closed", lambda: len(os.listdir(f"/proc/{pid}/fd")) <= 6)
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    assert [link for link in links if link.startswith("anon_inode:")] == ["anon_inode:[eventpoll]"], links
    assert len([link for link in links if link.startswith("socket:")]) == 2, links
    assert "bpf-map" not in Path(f"/proc/{pid}/maps").read_text()
    limits = Path(f"/proc/{pid}/limits").read_text()
    assert re.search(r"Max open files +80 +80 ", limits), limits
    assert re.search(r"Max processes +0 +0 ", limits), limits


def test_it_cannot_read_other_processes(server: Serving) -> None:
    """In a process that is in the same jail; what it tries is in tests/unit/test_serve.c."""
    pid = server.http_process()
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all",
                           "cat", "/proc/1/mem"], capture_output=True, timeout=60)
    assert done.returncode != 0 and b"Permission denied" in done.stderr
    assert pid and status_of(pid)["Seccomp"] == "2"


def test_the_http_process_is_killed_and_comes_back(server: Serving) -> None:
    first = server.http_process()
    assert first
    os.kill(first, signal.SIGKILL)
    wait_for("another one", lambda: server.http_process() not in (None, first))
    page = server.metrics()
    assert page.value("cowtrace_http_starts_total") == 2
    assert "signal 9" in server.stderr()


def test_both_end_together(server: Serving) -> None:
    pid = server.http_process()
    server.process.kill()
    server.process.wait()
    wait_for("the HTTP process has ended", lambda: not Path(f"/proc/{pid}").exists() or status_of(pid)["State"][0] == "Z")


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_in_order(server: Serving, sig: signal.Signals) -> None:
    pid = server.http_process()
    assert server.stop(sig) == 0
    assert not Path(f"/proc/{pid}").exists()


def test_systemd_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(60)
        with Serving(["--comm", "ct-nobody"], env={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as server:
            assert notified.recv(100) == b"READY=1"
            assert server.get("/healthz")[0] == 200
            assert server.stop() == 0
            assert notified.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("address", ["0.0.0.0:0", ":0", "[::]:0"])
def test_a_public_address_wants_consent(address: str) -> None:
    done = subprocess.run([str(COWTRACE), "serve", "--listen", address], capture_output=True, text=True, timeout=60,
                          env=environment())
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "--listen-public" in done.stderr, done.stderr


def test_a_port_that_is_taken() -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = subprocess.run([str(COWTRACE), "serve", "--listen", f"127.0.0.1:{s.getsockname()[1]}"],
                              capture_output=True, text=True, timeout=60, env=environment())
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
