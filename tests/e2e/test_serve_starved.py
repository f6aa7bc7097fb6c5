# SPDX-License-Identifier: MIT
"""A machine that has nothing left for serve: no disk, no descriptors, no memory, nobody who reads what it says. The
service that is watched notices nothing, and what is lost is counted."""
from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attached import Service
from cow import target, wait_for
from serving import Serving, free_port
from test_serve import Forker, buffers, wait_for_buffers

MIB = 1 << 20


def draw_all(server: Serving) -> None:
    for page in ("/report", "/flamegraph.svg", "/debug/pprof/copies"):
        assert server.drawn(page)


class Undisturbed:
    """Asks the service again and again, and sees to it that it answers, and that its processes stay those they were."""

    def __init__(self, service: Service):
        self.service, self.asked, self.over = service, 0, threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self) -> None:
        while not self.over.is_set():
            self.service.write(31)
            self.asked += 1

    def __enter__(self) -> Undisturbed:
        self.thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.over.set()
        self.thread.join()
        if not kind:
            assert self.asked and all(Path(f"/proc/{pid}").exists() for pid in self.service.pids)
            assert self.service.process.poll() is None


# --- disk ---------------------------------------------------------------------------------------------------


@pytest.fixture()
def full_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "full"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        (place / "log").touch()
        with contextlib.suppress(OSError), open(place / "filling", "wb", buffering=0) as f:
            while True:
                f.write(b"x" * 4096)
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk(any_python: str, full_disk: Path) -> None:
    """It writes nothing but what it says; that may not find room."""
    port = free_port()
    enter = f'cd {full_disk} && exec "$@" 2>log'
    with Forker(any_python) as service, \
            Serving(["-v", "-p", str(service.pid)], port, {"TMPDIR": str(full_disk), "HOME": str(full_disk)},
                    prefix=["sh", "-c", enter, "sh"], silent=True) as server:
        service.write(503)
        wait_for_buffers(server, 1509)
        draw_all(server)
        os.kill(wait_for("it is there", server.http_process), signal.SIGKILL)  # of which it wants to say something
        wait_for("another one", lambda: server.answers() and server.metrics().value("cowtrace_http_starts_total") == 2)
        assert not (full_disk / "log").read_text()
        assert sorted(os.listdir(full_disk)) == ["filling", "log"]
        assert server.stop() == 0


DEAF = """import os, signal, sys
read, write = os.pipe()
os.dup2(write, 2)
os.close(read)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])"""


@pytest.mark.parametrize("how", [["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"], ["/usr/bin/python3", "-c", DEAF]],
                         ids=["closed", "a pipe without a reader"])
def test_nobody_reads_what_it_says(any_python: str, how: list[str]) -> None:
    """Closed, what it opens next is not to have the number of the standard error; a pipe whose reader has gone is not
    to end it."""
    with Forker(any_python) as service, \
            Serving(["-v", "-p", str(service.pid)], free_port(), prefix=how, silent=True) as server:
        for times in (1, 2):
            service.write(503)
            wait_for_buffers(server, times * 1509)
            os.kill(wait_for("it is there", server.http_process), signal.SIGKILL)
            wait_for("another one", lambda n=times: server.answers() and server.metrics().value(
                "cowtrace_http_starts_total") == n + 1)
        draw_all(server)


# --- descriptors --------------------------------------------------------------------------------------------


def test_no_descriptors_at_run_time(any_python: str) -> None:
    """Neither for new workers nor for another HTTP process: it counts on, and all is well when there are some again."""
    with Forker(any_python) as service, Serving(["-p", str(service.pid)]) as server:
        service.write(101)
        wait_for_buffers(server, 303)
        used = len(os.listdir(f"/proc/{server.process.pid}/fd"))
        before = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (used, before[1]))
        service.ask("fork 5")
        service.write(307)
        wait_for_buffers(server, 303 + 8 * 307, workers=8)
        draw_all(server)
        os.kill(wait_for("it is there", server.http_process), signal.SIGKILL)
        wait_for("it says so", lambda: "no HTTP process: Too many open files" in server.stderr()
                 or server.stderr().count("the HTTP process has ended (status 125)"))
        service.write(211)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, before)
        wait_for("it answers", server.answers)
        page = wait_for_buffers(server, 303 + 8 * 307 + 8 * 211, workers=8)
        assert page.sum("cowtrace_lost_events_total") == 0
        assert page.value("cowtrace_processes", group="forker.py") == 9
        assert server.stop() == 0


# --- memory -------------------------------------------------------------------------------------------------


@pytest.fixture()
def memory_cgroup() -> Iterator[Path]:
    """Of version 1; version 2 is tried in a guest, by systemd."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [Path(m[1], "ct-limit") for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")]
    place = next((p for p in places if os.access(p.parent, os.W_OK)), None)
    if not place:
        pytest.skip("no cgroup with a memory limit can be made here")
    place.mkdir()
    try:
        yield place
    finally:
        wait_for("the cgroup is empty", lambda: not (place / "cgroup.procs").read_text())
        place.rmdir()


def inside(cgroup: Path) -> list[str]:
    return ["sh", "-c", f'echo $$ >{cgroup}/cgroup.procs && exec "$@"', "sh"]


def oom_kills(cgroup: Path) -> int:
    return int(dict(line.split() for line in (cgroup / "memory.oom_control").read_text().splitlines())["oom_kill"])


def test_the_limit_of_what_is_deployed_is_enough(any_python: str, memory_cgroup: Path) -> None:
    """256 MiB with all that the kernel holds for it: MemoryMax= of the unit, and the limit of the DaemonSet."""
    (memory_cgroup / "memory.limit_in_bytes").write_text(str(256 * MIB))
    with Forker(any_python, pages=20011, workers=50) as service, \
            Serving(["-p", str(service.pid)], prefix=inside(memory_cgroup)) as server:
        service.write(401)
        wait_for_buffers(server, 50 * 401)
        draw_all(server)
        assert server.metrics().sum("cowtrace_lost_events_total") == 0
        most = int((memory_cgroup / "memory.max_usage_in_bytes").read_text())
        print(f"{most / MIB:.0f} MiB at most")
        assert oom_kills(memory_cgroup) == 0
        assert most < 200 * MIB
        assert server.stop() == 0


# Another one in its cgroup, that the kernel does not choose, takes what there is.
HOG = """import select, sys, time
open("/proc/self/oom_score_adj", "w").write("-1000")
taken = []
while not select.select([sys.stdin], [], [], 0.02)[0] and len(taken) < 64:
    taken.append(b"x" * (1 << 20))
sys.stdin.read()"""


def test_a_memory_limit_ends_it_and_not_the_service(memory_cgroup: Path) -> None:
    """The kernel ends it: nobody can say anything then. It is started again, as systemd does, and counts again."""
    with Service(pages=200_003) as service, Undisturbed(service):
        with Serving(["-p", str(service.pid)], prefix=inside(memory_cgroup)) as server:
            wait_for("it counts", lambda: server.metrics().sum("cowtrace_copies_total") > 1000)
            usage = int((memory_cgroup / "memory.usage_in_bytes").read_text())
            (memory_cgroup / "memory.limit_in_bytes").write_text(str(usage + 4 * MIB))
            with subprocess.Popen([*inside(memory_cgroup), "/usr/bin/python3", "-c", HOG], stdin=subprocess.PIPE) as hog:
                assert server.process.wait(60) == -signal.SIGKILL
                hog.communicate(b"")
            assert oom_kills(memory_cgroup) >= 1
        wait_for("its HTTP process has ended, too", lambda: not (memory_cgroup / "cgroup.procs").read_text())
        (memory_cgroup / "memory.limit_in_bytes").write_text(str(256 * MIB))
        with Serving(["-p", str(service.pid)], prefix=inside(memory_cgroup)) as server:
            wait_for("it counts", lambda: server.metrics().sum("cowtrace_copies_total") > 1000)
            assert server.stop() == 0


def test_no_memory_to_allocate() -> None:
    """malloc() fails, while new workers come and pages are asked for: it goes on, or says in one line why it ends, and
    can be started again."""
    with Service(pages=100_003) as service, Undisturbed(service):
        with Serving(["-p", str(service.pid)]) as server:
            wait_for("it counts", lambda: server.metrics().sum("cowtrace_copies_total") > 1000)
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            data = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData"))
            resource.prlimit(server.process.pid, resource.RLIMIT_DATA, (data, data))
            with Forker("/usr/bin/python3", workers=20), contextlib.suppress(OSError):
                for page in ("/report", "/flamegraph.svg", "/debug/pprof/copies?seconds=1", "/metrics"):
                    assert server.get(page)[0] in (200, 500, 503), page
            time.sleep(0.5)
            if server.process.poll() is not None:
                said = server.stderr().splitlines()[1:]
                assert len(said) == 1 and "out of memory" in said[0], said
        with Serving(["-p", str(service.pid)]) as server:
            wait_for("it counts", lambda: server.metrics().sum("cowtrace_copies_total") > 1000)
            assert server.stop() == 0


# --- records ------------------------------------------------------------------------------------------------


def test_the_ends_of_processes_are_lost(any_python: str) -> None:
    """While it stands still more processes come and go than their buffer holds: it finds out who still lives."""
    flood = subprocess.Popen(["sh", "-c", 'read go; exec "$@"', "sh", target("manyforks"), "60000", "0"],
                             stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    with Forker(any_python, pages=101, workers=2) as service, \
            Serving(["-p", f"{service.pid},{flood.pid}"]) as server:
        service.ask("fork 50")
        wait_for("all are known", lambda: server.metrics().sum("cowtrace_processes", group="forker.py") == 53)
        server.process.send_signal(signal.SIGSTOP)
        flood.communicate(b"go\n", timeout=120)
        for _ in range(50):
            service.ask("kill")
        server.process.send_signal(signal.SIGCONT)
        wait_for("only those who live are counted", lambda: server.metrics().sum("cowtrace_processes") == 3)
        assert server.metrics().value("cowtrace_lost_names_total") > 0
        before = buffers(server.metrics())
        service.write(11)
        wait_for_buffers(server, int(before) + 22)
        assert server.stop() == 0
