# SPDX-License-Identifier: MIT
"""cowtrace is killed at any moment of its start: nothing of it stays in the kernel, no process of it is left, and
its command is not run, or runs on undisturbed."""
from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

from bpf import in_kernel, leaked
from cow import COWTRACE, environment, run_cowtrace, target, wait_for

# tests/vm runs more of them.
ROUNDS = int(os.environ.get("CT_KILLS", "40"))


def with_word(word: str) -> list[int]:
    """Processes that have it on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


def start_up_seconds() -> float:
    begin = time.monotonic()
    subprocess.run([str(COWTRACE), "run", "-q", "--", "true"], check=True, env=environment())
    return time.monotonic() - begin


def test_killed_while_it_starts() -> None:
    chance = random.Random(20261123)
    before = in_kernel()
    longest = min(1.2 * start_up_seconds(), 10)
    word = f"killed-{os.getpid()}-{time.monotonic_ns()}"
    moments = set()
    for _ in range(ROUNDS):
        wait = chance.uniform(0, longest)
        with subprocess.Popen([str(COWTRACE), "run", "-q", "--", "true", word],
                              env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            time.sleep(wait)
            process.kill()
            moments.add(process.wait())
    assert -signal.SIGKILL in moments, "none was killed: it starts faster than is thought here"
    wait_for("without processes of the killed", lambda: not with_word(word))
    # The kernel frees them a moment later (RCU).
    wait_for("without BPF objects of the killed", lambda: not any(leaked(before).values()))
    assert run_cowtrace([], [target("storm"), "101"]).status == 0


def test_killed_while_it_traces() -> None:
    """The command does not notice."""
    before = in_kernel()
    for _ in range(max(ROUNDS // 10, 1)):
        with subprocess.Popen([str(COWTRACE), "run", "-q", "--", "sh", "-c", "echo $$; read go; echo $go"],
                              env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as process:
            assert process.stdin and process.stdout
            command = int(process.stdout.readline())
            process.kill()
            process.wait()
            assert Path(f"/proc/{command}").exists()
            process.stdin.write("on\n")
            process.stdin.flush()
            assert process.stdout.readline() == "on\n"
    wait_for("without BPF objects of the killed", lambda: not any(leaked(before).values()))
