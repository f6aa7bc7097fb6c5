# SPDX-License-Identifier: MIT
"""A libpython in a program that is no Python: loaded or linked, early or late, alone or not, stripped, gone.
And Pythons that are built in other ways."""
from __future__ import annotations

import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import pythons
from cow import ROOT, Run, assert_closed, at_line, run_cowtrace, show_sites, target
from exact import SCRIPT, assert_exact, assert_truth, in_namespaces, put

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
EMBED = ROOT / "tests" / "targets" / "embed.c"


@dataclass(frozen=True)
class Library:
    """A libpython: at a path of this machine, or at one in a root of its own."""

    version: str
    path: Path
    tree: Path | None

    @property
    def file(self) -> Path:
        """Its path on this machine."""
        return Path(str(self.tree or "") + str(self.path))

    @property
    def home(self) -> dict[str, str]:
        return {"PYTHONHOME": str(self.path.parents[1])} if self.tree is None else {"PYTHONHOME": "/usr"}

    def run(self, program: object, *args: object) -> Run:
        """A program of ours, where this library is."""
        if self.tree is None:
            return run_cowtrace([], [str(program), *map(str, args)], env=self.home)
        place = put(self.tree, str(program), SCRIPT, target("truth.py"), target("fate.py"))
        inside = {str(path): str(place / Path(path).name) for path in (program, SCRIPT, target("fate.py"))}
        command = [inside.get(str(a), str(a)) for a in (program, *args)]
        return in_namespaces('mount -t proc proc "$1/proc"; exec chroot "$@"', self.tree, *command,
                             env=self.home)


@functools.lru_cache(maxsize=None)
def library(version: str) -> Library:
    """The libpython of that version: one of pyenv's, else one of Debian's."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/lib/libpython{version}.so.1.0"))
    if found:
        return Library(version, found[0], None)
    tree = pythons.need_tree(version)
    (path,) = tree.glob(f"usr/lib/*/libpython{version}.so.1.0")
    return Library(version, Path("/") / path.relative_to(tree), tree)


def one_here() -> Library:
    """A libpython that runs in the root of this machine; the newest."""
    for version in reversed(VERSIONS):
        if list(Path.home().glob(f".pyenv/versions/{version}.*/lib/libpython{version}.so.1.0")):
            return library(version)
    pytest.skip("no libpython with its modules in this root (pyenv install with --enable-shared)")


def linked(lib: Library, place: Path, *flags: str) -> Path:
    """embed.c, linked against a libpython."""
    program = place / "embed-linked"
    # The libraries that libpython needs may be in its root only.
    subprocess.run(["cc", "-O2", "-DLINKED", *flags, str(EMBED), "-o", str(program), str(lib.file), "-rdynamic",
                    f"-Wl,-rpath,{lib.path.parent}", "-Wl,--unresolved-symbols=ignore-in-shared-libs"], check=True)
    return program


def assert_version(run: Run, version: str) -> None:
    found = {p["python"] for p in run.report["processes"]} - {None}
    assert found and all(f.startswith(version + ".") or f == version for f in found), found


@pytest.mark.parametrize("version", VERSIONS)
def test_loaded(version: str) -> None:
    lib = library(version)
    run = lib.run(target("embed"), lib.path, SCRIPT)
    assert_exact(run)
    assert_version(run, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_linked(version: str, tmp_path: Path) -> None:
    lib = library(version)
    run = lib.run(linked(lib, tmp_path), lib.path, SCRIPT)
    assert_exact(run)
    assert_version(run, version)


@pytest.mark.parametrize("kind", ["-no-pie", "-pie"])
def test_the_program_may_be_at_any_address(kind: str, tmp_path: Path) -> None:
    lib = one_here()
    assert_exact(lib.run(linked(lib, tmp_path, "-fPIE" if kind == "-pie" else "-fno-pie", kind), lib.path, SCRIPT))


@pytest.mark.parametrize("version", VERSIONS)
def test_stripped(version: str, tmp_path: Path) -> None:
    """Debian's are; others have only what is exported, too."""
    lib = library(version)
    stripped = tmp_path / f"libpython{version}.so.1.0"
    subprocess.run(["strip", "--strip-all", "-o", str(stripped), str(lib.file)], check=True)
    path = stripped if lib.tree is None else put(lib.tree, str(stripped)) / stripped.name
    run = lib.run(target("embed"), path, SCRIPT)
    assert_exact(run)
    assert_version(run, version)


@pytest.mark.parametrize("fate", ["deleted", "replaced"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_library_that_is_gone_while_it_runs(version: str, fate: str, tmp_path: Path) -> None:
    lib = library(version)
    copy = Path(shutil.copy(lib.file, tmp_path / f"libpython{version}.so.1.0"))
    path = copy if lib.tree is None else put(lib.tree, str(copy)) / copy.name
    run = lib.run(target("embed"), path, target("fate.py"), fate, path, SCRIPT)
    assert_exact(run)
    assert_version(run, version)


# cowtrace looks for a Python for some 12 s after a program has begun.
LATE_MS = 14000


def test_loaded_late() -> None:
    lib = one_here()
    assert_exact(lib.run(target("embed"), "-l", LATE_MS, lib.path, SCRIPT))


@pytest.mark.parametrize("ms", [0, LATE_MS])
def test_loaded_by_a_worker(ms: int) -> None:
    """The process that forked it has no Python, and writes to its pages before and after."""
    lib = one_here()
    path = target("embedded_late.py")
    run = lib.run(target("embed"), "-f", "-l", ms, lib.path, path)
    assert [t["changed"] for t in run.truth] == [37], "the workload itself is wrong"
    assert at_line(run.report, path, "write") == 37, show_sites(run.report)
    versions = {p["ppid"] != 0: p["python"] for p in run.report["processes"]}
    assert versions[False] is None, versions
    assert versions[True].startswith(lib.version), versions
    assert_closed(run.report)


def test_workers_that_load_different_ones(tmp_path: Path) -> None:
    """Each has its own: the one that forked them has none."""
    found = [library(v) for v in VERSIONS if list(Path.home().glob(f".pyenv/versions/{v}.*/lib/libpython{v}.so.1.0"))]
    if len(found) < 2:
        pytest.skip("fewer than two libpythons in this root")
    script = "for p; do PYTHONHOME=${p%/lib/*} \"$0\" -f \"$p\" \"$SCRIPT\" & done; wait"
    run = run_cowtrace([], ["sh", "-ec", script, target("embed"), *(str(f.path) for f in found)],
                       env={"SCRIPT": SCRIPT})
    assert_exact(run, len(found))
    got = [p["python"] for p in run.report["processes"] if p["python"]]
    for lib in found:
        assert any(g.startswith(lib.version + ".") for g in got), (lib.version, got)


PAIRS = [("3.11", "3.13"), ("3.13", "3.11"), ("3.8", "3.12"), ("3.12", "3.9")]


@pytest.mark.parametrize("first, other", PAIRS)
def test_a_worker_that_becomes_another_python(first: str, other: str) -> None:
    one, two = pythons.need(first), pythons.need(other)
    run = run_cowtrace([], [one, target("mixed.py"), two, SCRIPT])
    assert_exact(run, 2)
    by_version = {p["python"][:4].rstrip("."): p for p in run.report["processes"]}
    assert set(by_version) == {first, other}, by_version


@pytest.mark.parametrize("idle, busy", [("3.11", "3.12"), ("3.12", "3.11"), ("3.8", "3.13"), ("3.13", "3.8")])
def test_two_pythons_in_one_process(idle: str, busy: str) -> None:
    """Both are initialised; one runs the script. Nothing that it does is put down to the other."""
    one, two = library(idle), library(busy)
    if one.tree or two.tree:
        pytest.skip(f"no libpython {idle} and {busy} in this root")
    run = run_cowtrace([], [target("embed"), "-s", str(one.path), str(two.path), SCRIPT],
                       env={**two.home, "SECOND_HOME": one.home["PYTHONHOME"]})
    assert_exact(run)
    assert_version(run, busy)
    problems = {p["python_problem"] or "" for p in run.report["processes"]}
    assert any(f"CPython {idle}." in problem for problem in problems), problems


@pytest.mark.parametrize("build", ["3.13-musl", "3.13-pie"])
def test_built_otherwise(build: str) -> None:
    """musl has another thread-local storage and another malloc than glibc; the other one is a
    stripped executable that may be at any address."""
    run = run_cowtrace([], [pythons.need_built(build), SCRIPT])
    assert_exact(run)
    assert_version(run, build.split("-")[0])
