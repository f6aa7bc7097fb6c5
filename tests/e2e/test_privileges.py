# SPDX-License-Identifier: MIT
"""The least privilege that works: with it an ordinary user gets what root gets; without a part of it, what is
missing is said in one line, and nothing is silently less."""
from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from cow import COWTRACE, as_the_kernel_counts, at_line, Report, Run, run_cowtrace, show_sites, wait_for
from exact import COUNTS
from privileges import ALL, NEEDED, Place, need_shared, without


@pytest.fixture()
def place(world_readable: Path) -> Place:
    return Place(world_readable)


@pytest.fixture()
def shared_python(any_python: str) -> str:
    return need_shared(any_python)


def lines(report: Report, script: str) -> Counter:
    """All that is known of the copies that refcount23.py makes on purpose; others depend on addresses."""
    rows: Counter = Counter()
    for site in report["details"]:
        reads = "bytes" if site["function"] == "drop" else site["type"]
        if site["file"] == script and site["cause"] == "refcount" and site["type"] == reads \
                and site["function"] in (f"read_{str(reads).lower()}", "drop"):
            key = (site["line"], site["function"], site["type"], site["detail"], site["origin"], site["certainty"])
            rows[key] += site["copies"]
    return rows


def problems(report: Report) -> str:
    return "\n".join(p["python_problem"] or "" for p in report["processes"])


def assert_counts(report: Report, script: str) -> None:
    for kind, count in COUNTS.items():
        assert at_line(report, script, kind, cause="refcount", type=kind) == count, show_sites(report)
    assert at_line(report, script, "dec", cause="refcount", type="bytes") == 29, show_sites(report)
    assert report["capture"]["lost"] == 0


def assert_as_root(run: Run, place: Place, python: str) -> None:
    """What an ordinary user has seen is what root sees of the same."""
    script = place.target("refcount23.py")
    root = run_cowtrace(["-u", "nobody"], [python, script])
    assert_counts(run.report, script)
    assert lines(run.report, script) == lines(root.report, script)
    assert run.report["capture"]["witness"] == root.report["capture"]["witness"]
    assert problems(run.report) == problems(root.report)


# --- all of them ---------------------------------------------------------------------------------


def test_all_see_what_root_sees(place: Place, shared_python: str) -> None:
    run = place.run(ALL, shared_python, place.target("refcount23.py"))
    assert run.status == 0
    assert not [line for line in run.stderr.splitlines() if line.startswith("cowtrace:")], run.stderr
    assert_as_root(run, place, shared_python)


def test_capabilities_of_the_file(place: Place, shared_python: str) -> None:
    """setcap, for those who start cowtrace without any."""
    caps = ",".join(f"cap_{cap.lower()}" for cap in ALL)
    subprocess.run(["setcap", f"{caps}=ep", str(place.program)], check=True)
    run = place.run(ALL, shared_python, place.target("refcount23.py"), ambient=False)
    assert_as_root(run, place, shared_python)


def test_the_needed_ones_do_for_programs_of_ones_own(place: Place, shared_python: str) -> None:
    run = place.run(NEEDED, shared_python, place.target("refcount23.py"))
    assert_as_root(run, place, shared_python)


def test_the_command_does_not_get_them(place: Place) -> None:
    run = place.run([*ALL, "NET_BIND_SERVICE"], "cat", "/proc/self/status", options=["-q"])
    facts = dict(line.split(":\t", 1) for line in run.stdout.splitlines())
    net_bind_service = 1 << 10 # this is none of ours
    assert int(facts["CapEff"], 16) == int(facts["CapAmb"], 16) == net_bind_service


# --- one is missing ------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [*([name] for name in NEEDED), NEEDED, ALL], ids="+".join)
def test_without_the_needed_ones_nothing_is_run(place: Place, missing: list[str]) -> None:
    done = place.call(without(*missing), "run", "--", "touch", str(place.out / "ran"))
    assert done.returncode == 125
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for name in set(missing) & set(NEEDED):
        assert f"CAP_{name}" in done.stderr
    assert "root" in done.stderr and "cowtrace check" in done.stderr
    assert not (place.out / "ran").exists()


@pytest.mark.parametrize("missing", ["SYS_PTRACE", "DAC_READ_SEARCH"])
def test_programs_that_others_may_not_read(place: Place, shared_python: str, missing: str) -> None:
    """May be executed, not read: then the kernel hides the memory of its processes, too."""
    script = place.target("small23.py")
    python = Path(shutil.copy(shared_python, place.path / "python"))
    python.chmod(0o711)
    home = {"PYTHONHOME": str(Path(shared_python).parents[1])}
    run = place.run(without(missing), str(python), script, env=home)
    assert f"CAP_{missing}" in problems(run.report), run.report["processes"]
    assert f"CAP_{missing}" in run.stderr
    worker = run.report["processes"][-1]
    assert worker["copies"] >= 23 and worker["python"] is None
    run = place.run(ALL, str(python), script, env=home)
    assert at_line(run.report, script, "read", cause="refcount", type="bytes") == 23, show_sites(run.report)
    assert problems(run.report).strip() == ""


@pytest.mark.parametrize("missing", [[], ["SYS_PTRACE"], ["DAC_READ_SEARCH"], ["SYS_PTRACE", "DAC_READ_SEARCH"]],
                         ids=lambda names: "+".join(names) or "nothing")
def test_attach_to_another_users_process(place: Place, any_python: str, missing: list[str]) -> None:
    report = place.out / "report.json"
    with subprocess.Popen([any_python, "-c", "import os; os.fork(); print(flush=True); input()"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdin and service.stdout
        service.stdout.readline()
        done = place.call(without(*missing), "attach", "-p", str(service.pid), "--for", "1", "--json", str(report))
        service.stdin.write(b"\n\n")
        service.stdin.close()
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    assert len(found["processes"]) == 2
    for process in found["processes"]:
        assert (process["python"] is None) == bool(missing), found["processes"]
        assert all(f"CAP_{name}" in process["python_problem"] for name in missing), found["processes"]
    assert all(f"CAP_{name}" in done.stderr for name in missing)


def test_without_syslog_it_warns_of_too_many(place: Place) -> None:
    def setting(name: str) -> int:
        return int(Path("/proc/sys/kernel", name).read_text())

    run = place.run(without("SYSLOG"), "true", options=["--witness", "tracepoints"])
    warned = "CAP_SYSLOG" in run.stderr
    # All may see addresses where root has said so (kallsyms_show_value() of the kernel).
    assert warned == (setting("kptr_restrict") > 0 or setting("perf_event_paranoid") > 1), run.stderr


def test_without_checkpoint_restore_deleted_programs_are_counted(place: Place, shared_python: str) -> None:
    script = place.target("small23.py")
    home = {"PYTHONHOME": str(Path(shared_python).parents[1])}
    command = ["sh", "-ec", 'cp "$1" it; exec 9<it; rm it; shift; exec /proc/self/fd/9 "$@"', "sh",
               shared_python, script]
    run = place.run(without("CHECKPOINT_RESTORE"), *command, env=home)
    assert "CAP_CHECKPOINT_RESTORE" in problems(run.report), run.report["processes"]
    assert "CAP_CHECKPOINT_RESTORE" in run.stderr
    assert run.report["processes"][-1]["copies"] >= 23
    run = place.run(ALL, *command, env=home)
    assert at_line(run.report, script, "read", cause="refcount", type="bytes") == 23, show_sites(run.report)


def test_delayacct_is_roots(place: Place) -> None:
    """No capability writes to a sysctl; whoever has none of root's is told."""
    switch = Path("/proc/sys/kernel/task_delayacct")
    if not switch.exists():
        pytest.skip("this kernel has no switch for delay accounting")
    was_on = switch.read_text() == "1\n"
    run = place.run(ALL, "true", options=["--delayacct"])
    said = [line for line in run.stderr.splitlines() if line.startswith("cowtrace: delay accounting")]
    assert all("sysctl kernel.task_delayacct=1" in line for line in said)
    assert said or was_on or switch.read_text() == "1\n", run.stderr # other runs switch it meanwhile
    with subprocess.Popen([str(COWTRACE), "run", "-q", "--delayacct", "--", "cat"], stdin=subprocess.PIPE) as root:
        wait_for("delay accounting is on", lambda: switch.read_text() == "1\n")
        run = place.run(ALL, "true", options=["--delayacct"])
        assert root.stdin
        root.stdin.close()
    assert "delay accounting" not in run.stderr
    assert run.report["capture"]["kernel_copies"] == as_the_kernel_counts(run.report)


def test_a_user_namespace_gives_nothing(place: Place) -> None:
    """root of a rootless container."""
    done = subprocess.run(["unshare", "--user", "--map-root-user", str(place.program), "run", "--", "true"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 125
    assert "user namespace" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
