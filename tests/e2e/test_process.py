# SPDX-License-Identifier: MIT
"""The traced command is left alone: its streams, its signals, its status; cowtrace leaves nothing behind."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from cow import (COWTRACE, Live, alive, assert_closed, environment, in_symbol, kill_quietly, run_cowtrace,
                 show_sites, state_of, target, wait_for)

STATUS = {
    "exit 0": 0,
    "exit 7": 7,
    "exit 255": 255,
    "kill -TERM $$": 128 + signal.SIGTERM,
    "kill -KILL $$": 128 + signal.SIGKILL,
    "kill -SEGV $$": 128 + signal.SIGSEGV,
}


@pytest.mark.parametrize("script", STATUS)
def test_status_is_the_commands(script: str) -> None:
    assert run_cowtrace([], ["sh", "-c", script]).status == STATUS[script]


def cowtrace(*argv: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(COWTRACE), *argv], capture_output=True, text=True, timeout=60,
                          env=environment(), stdin=subprocess.DEVNULL)


def test_command_not_found_is_127() -> None:
    done = cowtrace("run", "--", "/nonexistent/command")
    assert done.returncode == 127
    assert "/nonexistent/command" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_command_not_executable_is_126(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    done = cowtrace("run", "--", str(plain))
    assert done.returncode == 126
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_streams_are_the_commands_own(any_python: str) -> None:
    run = run_cowtrace([], [any_python, target("streams.py"), "a b", "", "ü"], env={"MARK": "m"},
                       stdin="from standard input\n")
    assert run.stdout == "['a b', '', 'ü'] m FROM STANDARD INPUT\n"
    assert run.stderr.startswith("to standard error\n")


def test_nothing_on_standard_output_is_cowtraces() -> None:
    assert run_cowtrace([], ["true"]).stdout == ""


def test_quiet_prints_no_report() -> None:
    run = run_cowtrace(["-q"], [target("storm"), "101"])
    assert run.stderr == ""
    assert in_symbol(run.report, "storm_write") == 101


def test_a_pipe_that_closes_early() -> None:
    """SIGPIPE has its default meaning in the command."""
    script = "\"$1\" run -q -- sh -c 'yes; echo status $? >&2' | head -n 1"
    done = subprocess.run(["sh", "-c", script, "sh", str(COWTRACE)], capture_output=True, text=True,
                          timeout=60, env=environment())
    assert done.stdout == "y\n"
    assert done.stderr == "status 141\n"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_forwarded(sig: signal.Signals) -> None:
    with Live(["--delayacct"], [target("steady")]) as live:
        int(live.line())
        live.send("go")
        assert live.line() == "ok 1"
        live.process.send_signal(sig)
        if sig == signal.SIGUSR1:
            assert live.line() == "usr1"
            live.send("go")
            assert live.line() == "ok 2"
            assert live.finish() == 0
            expected = 10
        else:
            assert live.process.wait(60) == 128 + sig
            expected = 5
        assert in_symbol(live.report(), "steady_write") == expected, show_sites(live.report())
        assert_closed(live.report())


def test_interrupt_prints_what_was_seen() -> None:
    """Ctrl-C, which a terminal sends to the command too."""
    with Live([], [target("steady")]) as live:
        pid = int(live.line())
        live.send("go")
        assert live.line() == "ok 1"
        live.process.send_signal(signal.SIGINT)
        live.process.wait(60)
        wait_for("the end of the command", lambda: not alive(pid))
        assert in_symbol(live.report(), "steady_write") == 5
        assert "copied" in live.stderr()


def test_command_that_dies_in_the_middle() -> None:
    with Live(["--delayacct"], [target("steady")]) as live:
        live.line()
        live.send("go")
        assert live.line() == "ok 1"
        live.send("die")
        assert live.process.wait(60) == 128 + signal.SIGKILL
        assert in_symbol(live.report(), "steady_write") == 5, show_sites(live.report())
        assert_closed(live.report())


def test_command_that_is_stopped_for_a_while() -> None:
    with Live(["--delayacct"], [target("steady")]) as live:
        pid = int(live.line())
        live.send("stop")
        wait_for("stopped", lambda: state_of(pid) == "T")
        os.kill(pid, signal.SIGCONT)
        assert live.line() == "ok 1"
        live.send("go")
        assert live.line() == "ok 2"
        assert live.finish() == 0
        assert in_symbol(live.report(), "steady_write") == 10, show_sites(live.report())
        assert_closed(live.report())


def bpftool() -> str:
    places = [Path("/usr/sbin/bpftool"), Path("/sbin/bpftool")]
    places += sorted(Path("/usr/lib").glob("linux-tools*/bpftool"))
    places += sorted(Path("/usr/lib/linux-tools").glob("*/bpftool"))
    for place in reversed(places):
        if place.exists() and subprocess.run([str(place), "version"], capture_output=True).returncode == 0:
            return str(place)
    pytest.fail("no bpftool that works; scripts/setup installs one")


def bpf_objects() -> set[tuple[str, int]]:
    """Every program, map and link that the kernel holds."""
    found = set()
    for kind in ("prog", "map", "link"):
        done = subprocess.run([bpftool(), "-j", kind, "show"], capture_output=True, check=True)
        found |= {(kind, item["id"]) for item in json.loads(done.stdout or b"[]")}
    return found


def test_killed_cowtrace_leaves_nothing_attached_and_the_command_goes_on() -> None:
    before = bpf_objects()
    with Live([], [target("steady")]) as live:
        pid = int(live.line())
        try:
            live.send("go")
            assert live.line() == "ok 1"
            ours = bpf_objects() - before
            assert {kind for kind, _ in ours} >= {"prog", "map"}, "nothing was attached at all"
            live.process.kill()
            live.process.wait(60)
            for i in (2, 3):
                live.send("go")
                assert live.line() == f"ok {i}"
            wait_for("everything detached", lambda: not ours & bpf_objects(), 30)
            assert state_of(pid) not in ("", "Z", "T")
        finally:
            kill_quietly(pid)


def test_nothing_is_attached_after_a_run() -> None:
    before = bpf_objects()
    run_cowtrace([], ["true"])
    wait_for("everything detached", lambda: not bpf_objects() - before, 30)


def test_children_that_outlive_the_command() -> None:
    """The report is made when the command ends, and does not wait for daemons it left."""
    with Live([], ["sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!"]) as live:
        daemon = int(live.line())
        try:
            assert live.process.wait(30) == 0
            assert alive(daemon)
        finally:
            kill_quietly(daemon)


def test_run_as_another_user(world_readable: Path) -> None:
    run = run_cowtrace(["-u", "nobody"], ["sh", "-c", "id -un; id -G; cat /proc/self/status"])
    lines = run.stdout.splitlines()
    assert lines[0] == "nobody"
    assert "0" not in lines[1].split()
    facts = dict(line.split(":\t", 1) for line in lines[2:])
    assert set(facts["Uid"].split()) == {facts["Uid"].split()[0]} and "0" not in facts["Uid"].split()
    assert int(facts["CapEff"], 16) == 0


def test_run_as_another_user_sees_the_same(any_python: str, world_readable: Path) -> None:
    import shutil

    # pagemap shows frame numbers to root only, so the truth is left out.
    path = world_readable / "preload.py"
    shutil.copy(target("preload.py"), path)
    python = any_python
    if not os.path.realpath(python).startswith("/usr/"):
        pytest.skip(f"{python} can not be run by others")
    run = run_cowtrace(["-u", "nobody"], [python, str(path), "300000", "1"])
    assert run.status == 0, run.stderr
    line = next(i for i, text in enumerate(path.read_text().splitlines(), 1) if "in self.big_data" in text)
    top = max(run.report["sites"], key=lambda s: s["copies"])
    assert (top["line"], top["type"]) == (line, "int"), show_sites(run.report)


def test_unknown_user_is_an_error() -> None:
    done = cowtrace("run", "-u", "no-such-user-here", "--", "true")
    assert done.returncode in (2, 125)
    assert len(done.stderr.splitlines()) == 1 and "no-such-user-here" in done.stderr
