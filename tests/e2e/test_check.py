# SPDX-License-Identifier: MIT
"""`cowtrace check`: what it says of this machine is what the tracing finds."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from bpf import in_kernel, leaked
from cow import COWTRACE, Report, environment, run_cowtrace, wait_for
from privileges import ALL, NEEDED, Place, need_shared, without


def check(*argv: str, **kwargs: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(COWTRACE), "check", *argv], capture_output=True, text=True, timeout=120,
                          env=environment(), stdin=subprocess.DEVNULL, **kwargs)


def checked(done: subprocess.CompletedProcess) -> Report:
    assert done.stderr == "", done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def page() -> str:
    done = check()
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="module")
def facts() -> Report:
    return checked(check("--json", "-"))


def witness(facts: Report, name: str) -> Report:
    return next(w for w in facts["witnesses"] if w["name"] == name)


def test_the_page(page: str) -> None:
    assert "COWTRACE WORKS HERE" in page
    for title in ("WITNESSES", "KERNEL", "PRIVILEGES", "PYTHONS THAT RUN NOW", "WHAT TO DO"):
        assert re.search(f"^{title}", page, re.MULTILINE), title
    assert max(map(len, page.splitlines())) <= 100
    assert "\033" not in page


def test_kernel_and_machine(facts: Report) -> None:
    def uname(option: str) -> str:
        return subprocess.run(["uname", option], capture_output=True, text=True, check=True).stdout.strip()

    host = facts["host"]
    assert (host["kernel"], host["build"], host["machine"]) == (uname("-r"), uname("-v"), uname("-m"))
    for name in ("kptr_restrict", "perf_event_paranoid", "unprivileged_bpf_disabled", "task_delayacct"):
        path = Path("/proc/sys/kernel", name)
        if name == "task_delayacct" and path.exists():
            assert facts["kernel"][name] in (0, 1) # other runs switch it meanwhile
        else:
            assert facts["kernel"][name] == (int(path.read_text()) if path.exists() else None)
    assert facts["kernel"]["btf_bytes"] == Path("/sys/kernel/btf/vmlinux").stat().st_size
    assert all(facts["privileges"]["capabilities"].values())


def test_each_witness_does_what_it_says(facts: Report) -> None:
    """The one that is said to be used is used; those that are refused are refused in a run, too."""
    used = [w["name"] for w in facts["witnesses"] if w["used"]]
    assert used == [facts["witness"]] == [run_cowtrace([], ["true"]).report["capture"]["witness"]]
    for w in facts["witnesses"]:
        done = subprocess.run([str(COWTRACE), "run", "-q", "--witness", w["name"], "--", "true"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == (0 if w["works"] else 125), done.stderr
        assert w["works"] or w["reason"] in done.stderr
        assert (w["reason"] is None) == w["works"]
        assert w["cost"]


def test_witnesses_of_the_machine_that_builds(facts: Report) -> None:
    """This kernel refuses fentry (EPERM) and has no kprobes; others may have both."""
    assert witness(facts, "tracepoints")["works"]
    kprobes = Path("/sys/bus/event_source/devices/kprobe").exists()
    assert witness(facts, "kprobe")["works"] == kprobes, witness(facts, "kprobe")
    if not witness(facts, "fexit")["works"]:
        assert "Operation not permitted" in witness(facts, "fexit")["reason"]


def test_it_lets_go() -> None:
    """After a check, nothing of it is left in the kernel."""
    before = in_kernel()
    assert check("-q").returncode == 0
    wait_for("without objects of the check", lambda: not any(leaked(before).values()))


# --- Pythons -------------------------------------------------------------------------------------


def test_pythons_that_run(python: str) -> None:
    """Found, told, and grouped by their file."""
    script = "import sys, time, os; print(sys.version.split()[0], flush=True); time.sleep(60)"
    many = [subprocess.Popen([python, "-c", script, f"mark-{n}"], stdout=subprocess.PIPE, text=True)
            for n in range(5)]
    try:
        versions = {p.stdout.readline().strip() for p in many if p.stdout}
        found = checked(check("--json", "-"))["pythons"]
        mine = [p for p in found if {e["pid"] for e in p["examples"]} & {p.pid for p in many}
                or p["file"].startswith(str(Path(python).resolve()))]
        assert len(mine) == 1, found
        group = mine[0]
        assert {group["version"]} == versions
        assert group["processes"] >= 5 and group["explained"] and group["layout"] and not group["newer"]
        assert len(group["examples"]) == 3
        rows = [e["command"] for e in group["examples"] if e["pid"] in {p.pid for p in many}]
        assert all("mark-" in row for row in rows)
    finally:
        for process in many:
            process.kill()
            process.wait()
            assert process.stdout
            process.stdout.close()


def test_hostile_names(any_python: str, tmp_path: Path) -> None:
    """What a process calls itself does not reach the terminal."""
    evil = "\033[2J\033]0;x\007\u202ea\nb"
    with subprocess.Popen(
        [any_python, "-c", "import time; print(flush=True); time.sleep(60)", evil],
        stdout=subprocess.PIPE, executable=any_python, text=True,
    ) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            for done in (check(), check("--json", "-")):
                assert done.returncode == 0
                assert not set(done.stdout) & set("\033\007\u202e")
        finally:
            process.kill()


# --- without root --------------------------------------------------------------------------------


@pytest.fixture()
def place(world_readable: Path) -> Place:
    return Place(world_readable)


def test_without_root_it_says_what_it_could_not_see(place: Place) -> None:
    done = place.call([], "check")
    assert done.returncode == 3, done.stderr
    assert done.stderr == ""
    assert "COWTRACE CAN NOT TRACE HERE" in done.stdout
    assert "may not be looked into" in done.stdout
    for cap in ALL:
        assert re.search(f"^  CAP_{cap} +missing", done.stdout, re.MULTILINE), cap
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_without_root_it_finds_pythons_of_ones_own(place: Place, any_python: str) -> None:
    python = need_shared(any_python)
    with subprocess.Popen(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", python, "-c",
                           "import time; print(flush=True); time.sleep(60)"],
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            facts = checked(place.call([], "check", "--json", "-"))
            assert process.pid in {e["pid"] for p in facts["pythons"] for e in p["examples"]}
        finally:
            process.kill()


@pytest.mark.parametrize("missing", ALL)
def test_one_missing_capability(place: Place, missing: str) -> None:
    done = place.call(without(missing), "check", "--json", "-")
    facts = checked(done)
    assert done.returncode == (3 if missing in NEEDED else 0)
    assert facts["privileges"]["capabilities"] == {f"CAP_{cap}": cap != missing for cap in ALL}
    lacks = [lack for lack in facts["lacks"] if lack["what"].startswith(f"CAP_{missing} is missing")]
    assert [lack["weight"] for lack in lacks] == ["stops" if missing in NEEDED else "less"]
    assert lacks[0]["advice"]


def test_all_capabilities_are_enough(place: Place) -> None:
    done = place.call(ALL, "check", "--json", "-")
    assert done.returncode == 0
    assert not [lack for lack in checked(done)["lacks"] if lack["weight"] != "note"]


def test_memlock_does_not_matter(place: Place) -> None:
    done = subprocess.run(["prlimit", "--memlock=0:0", str(COWTRACE), "check", "--json", "-"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["privileges"]["memlock_bytes"] == 0


@pytest.mark.parametrize("options, word", [
    (["--pid", "--fork", "--mount-proc"], "pid namespace"),
    (["--user", "--map-root-user"], "user namespace"),
], ids=["pid", "user"])
def test_namespaces(place: Place, options: list[str], word: str) -> None:
    done = subprocess.run(["unshare", *options, str(place.program), "check"], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 3
    assert word in done.stdout.split("WITNESSES")[0]


# --- the command line ----------------------------------------------------------------------------


@pytest.mark.parametrize("argv", [["word"], ["--witness", "fexit"], ["--folded", "x"], ["-u", "nobody"],
                                  ["--delayacct"], ["--frobnicate"]], ids=" ".join)
def test_usage_errors_are_2(argv: list[str]) -> None:
    done = check(*argv)
    assert (done.returncode, done.stdout) == (2, "")


def test_json_beside_the_page(tmp_path: Path) -> None:
    done = check("--json", str(tmp_path / "facts.json"))
    assert done.returncode == 0 and "WITNESSES" in done.stdout
    assert json.loads((tmp_path / "facts.json").read_text())["schema"] == 1


def test_outputs_that_fail(tmp_path: Path) -> None:
    assert check("-q", "--json", str(tmp_path / "missing" / "x")).returncode == 1
    with open("/dev/full", "wb") as full:
        done = subprocess.run([str(COWTRACE), "check"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == 1 and done.stderr
