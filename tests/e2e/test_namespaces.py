# SPDX-License-Identifier: MIT
"""Interpreters that no path of ours leads to: deleted, replaced, hidden below a mount, in a root or in
namespaces of their own. Lines, types and names of functions are as exact as elsewhere."""
from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cow import Live, assert_closed, in_symbol, run_cowtrace, show_sites, target
from exact import COUNTS, SCRIPT, assert_exact, assert_lines, in_namespaces, put


@pytest.fixture()
def interpreter(python: str, tmp_path: Path) -> Path:
    """A copy of an interpreter, for what must not happen to the one of this machine."""
    return Path(shutil.copy(python, tmp_path / Path(python).name))


@pytest.fixture()
def home(python: str) -> dict[str, str]:
    """Where a copy finds its modules."""
    return {"PYTHONHOME": str(Path(python).parents[1])}


@pytest.mark.parametrize("fate", ["deleted", "replaced", "hidden"])
def test_an_interpreter_that_is_gone_while_it_runs(interpreter: Path, home: dict[str, str], fate: str) -> None:
    run = in_namespaces('exec "$@"', interpreter, target("fate.py"), fate, interpreter, SCRIPT, env=home)
    assert_exact(run)


@pytest.mark.parametrize("fate", ["deleted", "replaced"])
def test_a_program_that_is_gone_while_it_runs(tmp_path: Path, fate: str) -> None:
    """Its functions are in its symbol table only; the one of its successor has others."""
    program = Path(shutil.copy(target("steady"), tmp_path / "program"))
    other = Path(shutil.copy(target("storm"), tmp_path / "other"))
    with Live([], [str(program)]) as live:
        live.line()
        if fate == "deleted":
            program.unlink()
        else:
            other.rename(program)
        live.send("go")
        assert live.line() == "ok 1"
        assert live.finish() == 0
        assert in_symbol(live.report(), "steady_write") == 5, show_sites(live.report())


def test_an_interpreter_that_was_gone_before_it_ran(interpreter: Path, home: dict[str, str]) -> None:
    """Nobody could have opened it by its name."""
    run = run_cowtrace([], ["sh", "-ec", 'exec 9<"$1"; rm "$1"; shift; exec /proc/self/fd/9 "$@"', "sh",
                            str(interpreter), SCRIPT], env=home)
    assert_exact(run)


HIDDEN = {
    # Its file system is unmounted before it runs: no mount namespace has a path to it.
    "detached": """
        mount -t tmpfs none "$1"; cp "$2" "$1/program"; exec 9<"$1/program"; umount -l "$1"
        shift 2; exec /proc/self/fd/9 "$@" """,
    # Another file has the path that the maps show, seen from outside.
    "tmpfs": """
        cp /bin/true "$1/program"
        mount -t tmpfs none "$1"; cp "$2" "$1/program"
        p=$1/program; shift 2; exec "$p" "$@" """,
    # st_dev and the device in the maps differ.
    "overlay": """
        mkdir "$1/lower" "$1/upper"; mount -t tmpfs none "$1/upper"; mkdir "$1/upper/u" "$1/upper/w" "$1/all"
        cp "$2" "$1/lower/program"
        mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper/u,workdir=$1/upper/w" none "$1/all"
        p=$1/all/program; shift 2; exec "$p" "$@" """,
    # ... and the file was written to in the container.
    "overlay, copied up": """
        mkdir "$1/lower" "$1/upper"; mount -t tmpfs none "$1/upper"; mkdir "$1/upper/u" "$1/upper/w" "$1/all"
        cp "$2" "$1/lower/program"
        mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper/u,workdir=$1/upper/w" none "$1/all"
        chmod 711 "$1/all/program"
        p=$1/all/program; shift 2; exec "$p" "$@" """,
}


@pytest.mark.parametrize("how", HIDDEN)
def test_an_interpreter_in_a_mount_of_its_own(python: str, home: dict[str, str], tmp_path: Path,
                                              how: str) -> None:
    place = tmp_path / "place"
    place.mkdir()
    assert_exact(in_namespaces(HIDDEN[how], place, python, SCRIPT, env=home))


@pytest.mark.parametrize("how", HIDDEN)
def test_a_program_in_a_mount_of_its_own(tmp_path: Path, how: str) -> None:
    """Its functions are in its symbol table only."""
    place = tmp_path / "place"
    place.mkdir()
    run = in_namespaces(HIDDEN[how], place, target("storm"), "101")
    assert in_symbol(run.report, "storm_write") == 101, show_sites(run.report)
    assert_closed(run.report)


NAMESPACES = {
    "pid": ("--pid", "--fork", "--mount-proc"),
    "user": ("--user", "--map-root-user"),
    "all": ("--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "--uts", "--ipc", "--net",
            "--cgroup"),
}


@pytest.mark.parametrize("which", NAMESPACES)
def test_namespaces(python: str, which: str) -> None:
    """Processes are known by the numbers that they have outside."""
    run = in_namespaces('echo "{\\"inside\\": $$}"; exec "$@"', python, SCRIPT, unshare=NAMESPACES[which])
    first, truth = run.truth
    assert truth["expected"] == {**COUNTS, "dec": 29}
    if "--user" not in NAMESPACES[which]:  # there, pagemap does not show which frames a page has
        assert truth["changed"] == truth["expected"], "the workload itself is wrong"
    assert_lines(run.report)
    pids = {p["pid"]: p for p in run.report["processes"]}
    workers = [p["copies"] for p in pids.values() if p["ppid"] in pids]
    assert max(workers) >= sum(COUNTS.values())
    if "--pid" in NAMESPACES[which]:
        assert first["inside"] not in pids, "a number from inside the namespace"


ROOTS = {
    # The paths in /proc/PID/maps are then those outside, not those that the process knows.
    "chroot": 'mount -t proc proc "$1/proc"; exec chroot "$@"',
    # ... and here those in a mount that only the process has.
    "chroot below a mount": """
        mount -t tmpfs none "$2"; mkdir "$2/below"; mount --bind "$1" "$2/below"
        mount -t proc proc "$2/below/proc"; r=$2/below; shift 2; exec chroot "$r" "$@" """,
    # As in a container: the process has a mount namespace and a root of its own.
    "pivot_root": """
        mount --bind "$1" "$1"; cd "$1"; mount -t proc proc proc; pivot_root . old; shift; exec "$@" """,
    "pivot_root into an overlay": """
        t=$2; mount -t tmpfs none "$t"; mkdir "$t/u" "$t/w" "$t/all"
        mount -t overlay -o "lowerdir=$1,upperdir=$t/u,workdir=$t/w" none "$t/all"; cd "$t/all"
        mount -t proc proc proc; pivot_root . old; shift 2; exec "$@" """,
}


@pytest.mark.parametrize("how", ROOTS)
def test_python_in_another_root(tree313: Path, tmp_path: Path, how: str) -> None:
    """Files are looked up as the process has them: this interpreter exists in its root only."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    if how.startswith("pivot_root") and not any(line.split()[4] == "/" for line in mounts):
        pytest.skip("pivot_root is not possible inside a chroot")
    place = put(tree313, SCRIPT, target("truth.py"))
    more = () if how in ("chroot", "pivot_root") else (tmp_path,)
    run = in_namespaces(ROOTS[how], tree313, *more, "/usr/bin/python3.13", place / "refcount23.py")
    assert_exact(run)
    assert {s["file"] for s in run.report["sites"] if s["type"] == "Payload"} >= {str(place / "refcount23.py")}
    assert any((p["python"] or "").startswith("3.13") for p in run.report["processes"])
