# SPDX-License-Identifier: MIT
"""Python services that cowtrace attaches to: lines, types and causes, as if it had been there from the start."""
from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import pythons
from attached import Attached, Pipes, children, process_of
from cow import Report, assert_closed, assert_sums, at_line, environment, line_of, show_sites, target, wait_for
from taskstats import delay_accounting
from test_gunicorn import free_port, is_up, sum_in_each_worker

SCRIPT = target("waiting.py")


@pytest.fixture(autouse=True)
def kernel_counts() -> Iterator[None]:
    with delay_accounting():
        yield


class Waiting(Pipes):
    """tests/targets/waiting.py"""

    def __init__(self, command: list[str], **kwargs):
        super().__init__(command, **kwargs)
        self.info = self.answer()

    def go(self, n: int) -> int:
        return self.ask(f"go {n}")["changed"]


def assert_lines(report: Report, each: int) -> None:
    for kind in ("bytes", "Payload"):
        assert at_line(report, SCRIPT, kind, cause="refcount", type=kind) == each, (
            f"{kind}\n{show_sites(report)}"
        )


def test_lines_and_types(python: str) -> None:
    """Every CPython: found at once, in a master and its workers that have long been running."""
    with Waiting([python, SCRIPT, "3"]) as service:
        assert service.go(3) == 3 * 2 * 3
        with Attached(service.pid) as tracer:
            assert service.go(17) == 3 * 2 * 17
            report = tracer.stop()
    assert_lines(report, 3 * 17)
    assert_closed(report)
    assert_sums(report)
    assert len({p["python"] for p in report["processes"]}) == 1
    assert report["processes"][0]["python"]
    assert report["capture"]["stacks_missing"] == 0


def test_workers_that_are_forked_later(any_python: str) -> None:
    with Waiting([any_python, SCRIPT, "1"]) as service, Attached(service.pid) as tracer:
        assert service.go(5) == 2 * 5
        service.ask("fork")
        service.ask("fork")
        assert service.go(7) == 3 * 2 * 7
        report = tracer.stop()
    assert_lines(report, 5 + 3 * 7)
    assert_closed(report)


def test_one_worker_without_its_master(any_python: str) -> None:
    with Waiting([any_python, SCRIPT, "3"]) as service:
        with Attached(service.info["workers"][1]) as tracer:
            assert service.go(17) == 3 * 2 * 17
            report = tracer.stop()
    assert_lines(report, 17)
    assert_closed(report)


def test_two_pythons_at_once(any_python: str) -> None:
    other = pythons.system()
    with Waiting([any_python, SCRIPT, "2"]) as one, Waiting([other, SCRIPT, "1"]) as two:
        with Attached([one.pid, two.pid]) as tracer:
            assert one.go(11) == 2 * 2 * 11
            assert two.go(13) == 2 * 13
            report = tracer.stop()
    assert_lines(report, 2 * 11 + 13)
    assert_closed(report)


def test_many_workers(any_python: str) -> None:
    with Waiting([any_python, SCRIPT, "100"]) as service, Attached(service.pid) as tracer:
        assert service.go(3) == 100 * 2 * 3
        report = tracer.stop()
    assert_lines(report, 100 * 3)
    assert len(report["processes"]) == 101
    assert_closed(report)


def test_in_namespaces_of_its_own(any_python: str) -> None:
    """As in a container: its own pids, mounts and users. The pids that cowtrace takes are the host's."""
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount", "--mount-proc", "--ipc",
               "--kill-child", any_python, SCRIPT, "2"]
    with Waiting(command) as service:
        assert service.info["pid"] == 1  # in there
        children = Path(f"/proc/{service.pid}/task/{service.pid}/children").read_text().split()
        with Attached(int(children[0])) as tracer:
            service.send("go 17")
            service.answer()  # pagemap shows no frames to the root of another user namespace
            report = tracer.stop()
    assert_lines(report, 2 * 17)
    assert_closed(report)
    assert process_of(report, int(children[0]))["python"]


def test_a_python_of_another_root(tree313: Path) -> None:
    """Its interpreter and its libraries are where no path of ours leads."""
    place = tree313 / "tmp" / f"attach-{os.getpid()}"
    place.mkdir()
    try:
        for name in ("waiting.py", "truth.py"):
            shutil.copy(target(name), place)
        inside = f"/tmp/{place.name}/waiting.py"
        script = 'mount -t proc none "$1/proc"; exec chroot "$1" /usr/bin/python3.13 "$2" 2'
        with Waiting(["unshare", "--mount", "sh", "-ec", script, "sh", str(tree313), inside]) as service:
            with Attached(service.pid) as tracer:
                assert service.go(17) == 2 * 2 * 17
                report = tracer.stop()
        assert_lines(report, 2 * 17)
        assert_closed(report)
    finally:
        shutil.rmtree(place)


@pytest.fixture()
def gunicorn() -> Iterator[tuple[int, int]]:
    """pid and port of a master with three workers, which run as nobody."""
    import tempfile

    program = shutil.which("gunicorn", path="/usr/bin") or shutil.which("gunicorn3", path="/usr/bin")
    assert program, "gunicorn is missing; scripts/setup test installs it"
    place = Path(tempfile.mkdtemp(prefix="cowtrace-attach-"))
    place.chmod(0o755)
    for name in ("flask_app.py", "truth.py"):
        shutil.copy(target(name), place / name)
        (place / name).chmod(0o644)
    port = free_port()
    server = subprocess.Popen(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", pythons.system(), program,
         "--preload", "-w", "3", "-b", f"127.0.0.1:{port}", "--timeout", "120", "--chdir", str(place),
         "flask_app:app"], env=environment({"BIG_N": "2000003"}), stderr=subprocess.DEVNULL)
    try:
        wait_for("the server is up", lambda: server.poll() is not None or is_up(port))
        wait_for("all workers are there", lambda: server.poll() is not None or len(children(server.pid)) == 3)
        assert server.poll() is None
        yield server.pid, port
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(place, ignore_errors=True)


def test_gunicorn(gunicorn: tuple[int, int]) -> None:
    pid, port = gunicorn
    with Attached(pid) as tracer:
        grown = sum_in_each_worker(port)
        report = tracer.stop()
        text = tracer.stderr()
    assert is_up(port), "the service has suffered"
    top = max(report["sites"], key=lambda s: s["copies"])
    assert (Path(top["file"]).name, top["function"], top["cause"], top["type"]) == (
        "flask_app.py", "BigApp.total", "refcount", "int"), show_sites(report)
    assert top["line"] == line_of(target("flask_app.py"), "total")
    assert f"flask_app.py:{top['line']} in BigApp.total" in text
    assert "for item in self.big_data" in text  # the line itself
    loop = sum(s["copied_bytes"] for s in report["sites"] if s["function"] == "BigApp.total")
    assert abs(loop - sum(grown.values())) <= 0.01 * sum(grown.values())
    capture = report["capture"]
    assert capture["lost"] == 0
    assert abs(capture["copies"] - capture["kernel_copies"]) <= 0.005 * capture["kernel_copies"], capture
    for worker in grown:
        process = process_of(report, worker)
        assert process["attached"] and process["python"] and process["ppid"] == pid
        left = process["shared_at_fork_bytes"] - process["shared_now_bytes"]
        assert left >= 0.98 * process["copied_bytes"]
