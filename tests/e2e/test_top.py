# SPDX-License-Identifier: MIT
"""cowtrace top, driven by keys in a terminal."""
from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from attached import Pipes
from cow import COWTRACE, line_of, target, wait_for
from privileges import Place
from terminal import Terminal, Top

FORKER = target("forker.py")
SITE = f"forker.py:{line_of(FORKER, 'write')}"


class Forker(Pipes):
    """tests/targets/forker.py"""

    def __init__(self, python: str, pages: int = 5003, workers: int = 3):
        super().__init__([python, FORKER, str(pages), str(workers)])
        self.workers: list[int] = self.answer()["workers"]

    def write(self, pages: int) -> None:
        self.ask(f"write {pages}")


def number(text: str) -> int:
    return int(text.replace(",", ""))


def copies_at(top: Terminal, site: str) -> int:
    """Of the site whose row is seen: the whole number before the MiB."""
    for line in top.lines():
        found = re.match(rf"\s*[\d.,]+\s+(?:[\d.,]+\s+)?([\d,]+)\s+[\d,.]+ .*{re.escape(site)}", line)
        if found:
            return number(found.group(1))
    return 0


# --- numbers ------------------------------------------------------------------------------------------------


def test_the_screen_shows_what_was_copied(any_python: str) -> None:
    with Forker(any_python) as service, Top(["-p", str(service.pid)], 120, 40) as top:
        service.write(1009)
        top.wait_for(rf"^ *[\d.,]+ +[\d.]+ +3,027 +11\.8 +buffer .*{SITE} in write_pages")
        for pid in service.workers:
            assert re.search(rf"^{pid} .* 1,0\d\d +(3\.9|4\.0) .*forker.py 5003 3$", top.screen(), re.M)
        assert re.search(rf"^{service.pid} ", top.screen(), re.M)
        service.write(503)
        top.wait_for(rf" 4,536 +17\.7 +buffer .*{SITE} in write_pages")
        top.keys("q")
        assert top.ends() == 0


def test_the_window_forgets_and_the_sum_does_not(any_python: str) -> None:
    with Forker(any_python) as service, Top(["-p", str(service.pid)], 120, 40) as top:
        top.keys("w", "w", "w")  # 5, 15, 60, 1
        service.write(211)
        top.wait_for(rf"^ *0 +0\.0 +633 +2\.5 +buffer .*{SITE}")
        top.keys("w", "w")  # 15 seconds: it is in there
        rate = top.wait_for(rf"^ *([\d.]+) +\S+ +633 +2\.5 +buffer .*{SITE}").group(1)
        in_window, seconds = top.wait_for(r"copies \(.*/s\): ([\d,]+) in ([\d.]+) s").groups()
        assert number(in_window) >= 633
        assert float(rate) * float(seconds) == pytest.approx(633, abs=633 * 0.2)
        top.keys("q")
        assert top.ends() == 0


def test_services_are_found_that_start_later(any_python: str) -> None:
    with Top((), 120, 40) as top:
        with Forker(any_python, workers=0) as service:
            # It has not forked: its first fork is not to be missed.
            time.sleep(3)
            assert service.ask("fork 3")["workers"]
            service.write(307)
            top.wait_for(rf" 921 +3\.6 +buffer .*{SITE} in write_pages")
            top.wait_for(rf"^{service.pid} ")
        top.wait_for(rf"^(?!{service.pid} )")
        with Forker(any_python, workers=2) as service:
            top.wait_for(rf"^{service.pid} ")
            service.write(401)
            top.wait_for(rf" 1,723 +6\.7 +buffer .*{SITE} in write_pages")
        top.keys("q")
        assert top.ends() == 0


def test_what_is_traced_counts_while_more_is_found(any_python: str) -> None:
    """Each new service means another pass over all threads: nothing of the others is missed meanwhile."""
    with Forker(any_python, pages=20011, workers=2) as service, Top((), 120, 40) as top:
        top.wait_for(rf"^{service.pid} ")
        for _ in range(5):
            with Forker(any_python, pages=11, workers=1):
                end = time.monotonic() + 1.5
                writes = 0
                while time.monotonic() < end and writes < 1000:
                    service.write(1)
                    writes += 1
                service.write(1000 - writes)
        top.wait_for(rf" 10,000 +39\.1 +buffer .*{SITE} in write_pages")
        top.keys("q")
        assert top.ends() == 0


def test_a_service_that_is_killed(any_python: str) -> None:
    with Forker(any_python) as service, Top(["-p", str(service.pid)], 120, 40) as top:
        service.write(101)
        top.wait_for(rf" 303 +1\.2 +buffer .*{SITE}")
        for pid in [service.pid, *service.workers]:
            os.kill(pid, signal.SIGKILL)
        service.process.wait()
        top.wait_for(r"0 processes")
        assert copies_at(top, SITE) == 303
        top.keys("q")
        assert top.ends() == 0


# --- keys ---------------------------------------------------------------------------------------------------


def test_keys(any_python: str) -> None:
    with Forker(any_python) as service, Top(["-p", str(service.pid)], width=90, height=12) as top:
        first, last = min(service.workers), max(service.workers)
        service.write(101)
        top.wait_for(rf"^{first} ")
        assert "copies/s" in top.lines()[2] and "site" not in top.lines()[2]
        top.keys("Tab")
        top.wait_for(r"site *$")
        top.wait_for(rf" 303 .*{SITE}")
        top.keys("Tab")
        top.wait_for(r"what happens *$")
        top.keys("BTab", "BTab")
        top.wait_for(r"command *$")
        top.keys("<")  # by pid
        top.wait_for(r"^pid▲")
        rows = [line.split()[0] for line in top.lines()[3:7]]
        assert rows == sorted(rows, key=int)
        top.keys("r")
        top.wait_for(r"^pid▼")
        rows = [line.split()[0] for line in top.lines()[3:7]]
        assert rows == sorted(rows, key=int, reverse=True)
        top.type(f"/{last}")
        top.wait_for(rf"^/{last}_")
        top.wait_for(rf"\A.*\n.*\n.*\n{last} .*\n\n")
        top.keys("Enter")
        top.wait_for(rf"only: {last}")
        top.keys("Escape")
        top.wait_for(rf"^{first} ")
        top.keys("?")
        top.wait_for(r"sort the other way round")
        top.keys("x", "p")
        top.wait_for(r"PAUSED")
        service.write(211)
        time.sleep(2.5)
        top.keys("Tab")
        top.wait_for(rf" 303 .*{SITE}")
        top.keys("p")
        top.wait_for(rf" 936 .*{SITE}")
        top.keys("Down")
        top.wait_for(rf"^/.*{SITE} in write_pages +copies/s ")  # as far as there is room
        top.keys("q")
        assert top.ends() == 0


def test_sizes(any_python: str) -> None:
    with Forker(any_python) as service, Top(["-p", str(service.pid)], width=40, height=6) as top:
        service.write(101)
        top.wait_for(r"^pid .*copies.*command")
        top.wait_for(rf"^({service.pid}|{'|'.join(map(str, service.workers))}) ")
        assert "Workers Sites" in top.lines()[5]
        top.resize(200, 60)
        top.wait_for(r"then MiB")
        top.wait_for(rf" 303 +1\.2 +buffer .*{SITE}")
        assert "p pause" in top.lines()[59]
        top.resize(20, 4)
        top.wait_for(r"make this window")
        top.resize(300, 7)
        top.wait_for(r"then MiB")
        top.resize(40, 25)
        top.wait_for(r"site *$")
        top.keys("q")
        assert top.ends() == 0


# --- the terminal -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sleeper():
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("end", ["q", "C-c", "C-\\", "TERM", "HUP", "SEGV", "ABRT", "FPE"])
def test_the_terminal_is_as_it_was(end: str, sleeper: int) -> None:
    with Top(["-p", str(sleeper)]) as top:
        assert top.state() != top.before
        assert top.ask("#{alternate_on}") == "1"
        if end in ("TERM", "HUP", "SEGV", "ABRT", "FPE"):
            top.signal(getattr(signal, f"SIG{end}"))
        else:
            top.keys(end)
        status = top.ends()
    if end in ("SEGV", "ABRT", "FPE"):
        assert status == 128 + getattr(signal, f"SIG{end}")
    else:
        assert status == 0


def test_stopped_and_continued(sleeper: int) -> None:
    with Top(["-p", str(sleeper)]) as top:
        for _ in range(2):
            top.keys("C-z")
            top.wait_for(r"Stopped|status: \d+")
            assert top.state() == top.before
            top.run("fg")
            top.wait_for(r"^cowtrace top · .*witness")
            assert top.ask("#{alternate_on}") == "1"
        os.kill(top.pid, signal.SIGSTOP)  # nobody can do anything about that one
        top.tmux("send-keys", "-R")
        top.keys("C-j")  # the terminal is as top has set it
        top.wait_for(r"prompt\$")
        os.kill(top.pid, signal.SIGCONT)  # it is in the background: not its turn
        time.sleep(0.5)
        assert "witness" not in top.screen()
        top.type("fg")
        top.keys("C-j")
        top.wait_for(r"^cowtrace top · .*witness")
        top.keys("q")
        wait_for("as it was", lambda: top.state() == top.before)


def test_a_terminal_that_goes_away(sleeper: int) -> None:
    with Top(["-p", str(sleeper)]) as top:
        pid = top.pid
        top.tmux("kill-server")
        wait_for("ended", lambda: not os.path.exists(f"/proc/{pid}"))


# --- what it says -------------------------------------------------------------------------------------------


def test_not_on_a_terminal() -> None:
    done = subprocess.run([str(COWTRACE), "top"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"cowtrace: top needs a terminal.*\n", done.stderr)


def test_a_terminal_of_an_unknown_kind(sleeper: int) -> None:
    with Terminal() as terminal:
        terminal.run(f"TERM=abacus {COWTRACE} top -p {sleeper}; echo status: $?")
        terminal.wait_for(r"this kind of terminal is not known here \(TERM=abacus\)")
        terminal.wait_for(r"status: 1")


def test_nothing_to_watch_yet(sleeper: int) -> None:
    with Top(["-p", str(sleeper)]) as top:
        top.wait_for(r"no copies yet")
        top.keys("/")
        top.type("nobody")
        top.wait_for(r"nothing matches the filter")
        top.keys("Escape", "q")
        assert top.ends() == 0


def test_what_may_not_be_looked_into(world_readable: Path, sleeper: int) -> None:
    """Without CAP_SYS_PTRACE the processes of others are closed: that is not the same as none."""
    place = Place(world_readable)
    caps = "-all,+bpf,+perfmon"
    with Terminal(120, 20) as terminal:
        terminal.run(f"setpriv --reuid=nobody --regid=nogroup --clear-groups --inh-caps={caps} "
                     f"--ambient-caps={caps} -- {place.program} top; echo status: $?")
        terminal.wait_for(r"no Python process that forks is seen; \d+ processes may not be looked into")
        terminal.keys("q")
        terminal.wait_for(r"status: 0")


def test_names_do_not_reach_the_terminal(any_python: str, tmp_path) -> None:
    """A command line that would set the title, clear the screen and turn text around."""
    script = tmp_path / "\x1b]0;owned\x07\x1b[2J‮evil.py"
    script.write_text("import os, sys\nif os.fork() == 0:\n    sys.stdin.read()\nelse:\n    print('{}', flush=True)\n"
                      "    os.wait()\n")
    with Pipes([any_python, str(script)]) as service:
        service.answer()
        with Top(["-p", str(service.pid)], width=160) as top:
            top.wait_for(r"\\x1b\]0;owned\\x07\\x1b\[2J\\u\{202e\}evil\.py")
            assert top.ask("#{pane_title}") != "owned"
            top.keys("q")
            assert top.ends() == 0
