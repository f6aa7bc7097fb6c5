# SPDX-License-Identifier: MIT
"""Groups: containers with cgroups and pids of their own, as Docker and Kubernetes make them; services that come later,
go, and come again. A name is never a pid."""
from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from attached import Pipes
from cow import wait_for
from serving import Page, Serving
from test_serve import FORKER, buffers, wait_for_buffers


class Cgroups:
    """Below one of this machine's hierarchies, removed in the end."""

    def __init__(self, place: Path):
        self.place, self.made = place, []

    def make(self, path: str) -> Path:
        made = self.place
        for part in path.strip("/").split("/"):
            made = made / part
            if not made.exists():
                made.mkdir()
                self.made.append(made)
        return made

    def remove(self) -> None:
        for path in reversed(self.made):
            wait_for("the cgroup is empty", lambda p=path: not (p / "cgroup.procs").read_text())
            path.rmdir()


@pytest.fixture()
def cgroups() -> Iterator[Cgroups]:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [m[1] for m in mounts if m[2] == "cgroup2" or (m[2] == "cgroup" and "freezer" in m[3].split(","))]
    place = next((Path(p) for p in places if os.access(p, os.W_OK)), None)
    if not place:
        pytest.skip("no cgroup can be made here")
    made = Cgroups(place)
    try:
        yield made
    finally:
        made.remove()


def identity(name: str) -> str:
    """As a runtime makes them."""
    return hashlib.sha256(name.encode()).hexdigest()


class Container(Pipes):
    """A forker with a cgroup, and as pid 1 of its own pids, with its own /proc."""

    def __init__(self, cgroup: Path, python: str, workers: int = 3):
        enter = lambda: (cgroup / "cgroup.procs").write_text(str(os.getpid()))  # noqa: E731
        super().__init__(["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", python, FORKER, "2003",
                          str(workers)], preexec_fn=enter)
        self.inside: list[int] = self.answer()["workers"]


def assert_no_pids(page: Page) -> None:
    for labels in page.samples:
        assert not any(re.fullmatch(r"\d+|.*\[\d+\]", value) for value in labels[1].values()), labels


def test_containers_with_the_same_pids(cgroups: Cgroups, any_python: str) -> None:
    """Both have workers 2, 3 and 4."""
    one, two = identity("one"), identity("two")
    places = [cgroups.make(f"docker/{one}"),
              cgroups.make(f"kubepods.slice/kubepods-pod1.slice/cri-containerd-{two}.scope")]
    names = [f"docker:{one[:12]}", f"containerd:{two[:12]}"]
    with Serving() as server, Container(places[0], any_python) as a, Container(places[1], any_python) as b:
        assert a.inside == b.inside == [2, 3, 4]
        for name in names:
            wait_for("it is found", lambda n=name: server.metrics().sum("cowtrace_processes", group=n) >= 4)
        before = [buffers(server.metrics(), name) for name in names]
        a.ask("write 211")
        b.ask("write 503")
        wait_for_buffers(server, int(before[0]) + 633, names[0])
        page = wait_for_buffers(server, int(before[1]) + 1509, names[1])
        assert_no_pids(page)
        html = server.drawn("/report").decode()
        assert names[0] in html and names[1] in html and "write_pages" in html


def test_a_container_that_comes_later_goes_and_comes_again(cgroups: Cgroups, any_python: str) -> None:
    """The same container has the same name, and its counts go on; the next one has another."""
    first, second = identity("first"), identity("second")
    with Serving(["--cgroup", "/docker"]) as server:
        for times, who in ((1, first), (2, first), (1, second)):
            name = f"docker:{who[:12]}"
            with Container(cgroups.make(f"docker/{who}"), any_python) as container:
                wait_for("it is found", lambda n=name: server.metrics().sum("cowtrace_processes", group=n) >= 4)
                before = buffers(server.metrics(), name)
                container.ask("write 307")
                page = wait_for_buffers(server, int(before) + 921, name)
                assert buffers(page, name) >= times * 921 - 7
            wait_for("it is gone", lambda: server.metrics().sum("cowtrace_processes") == 0)
        page = server.metrics()
        assert page.groups() == {"other", f"docker:{first[:12]}", f"docker:{second[:12]}"}
        assert_no_pids(page)


def test_a_service_within_a_container_and_its_workers(cgroups: Cgroups, any_python: str) -> None:
    """The innermost name; a worker that moves to another cgroup belongs to what forked it."""
    who = identity("outer")
    place = cgroups.make(f"docker/{who}/system.slice/shop.service")
    elsewhere = cgroups.make("ct-elsewhere.service")
    with Container(place, any_python) as container, Serving(["-p", str(container.pid)]) as server:
        wait_for("it is found", lambda: server.metrics().sum("cowtrace_processes", group="shop.service") >= 4)
        container.ask("fork 1")
        inner = next(int(pid) for pid in Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split())
        last = Path(f"/proc/{inner}/task/{inner}/children").read_text().split()[-1]
        (elsewhere / "cgroup.procs").write_text(last)
        container.ask("write 101")
        page = wait_for_buffers(server, 404, "shop.service")
        assert page.groups() == {"other", "shop.service"}
