# SPDX-License-Identifier: MIT
"""What a workload runs under: nothing, cowtrace with all or some of its pieces, perf, bpftrace."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figures

ROOT = Path(__file__).resolve().parents[2]
COWTRACE = Path(os.environ.get("COWTRACE", ROOT / "build/cowtrace"))
PERF = os.environ.get("PERF", "")
BPFTRACE = shutil.which("bpftrace") or ""
BPFTRACE_PROGRAM = "tracepoint:exceptions:page_fault_user /args->error_code == 7/ {@[ustack] = count();}"
SECONDS = 300
# Each with those before it; see enum ct_piece in include/cowtrace/abi.h.
PIECES = ("empty", "witness", "record", "evidence")


@dataclass
class Run:
    """What one run under a tool came to."""

    facts: dict[str, Any]  # what the workload says
    counted: int | None = None  # copies, as the tool counts them
    kernel: int | None = None  # the same processes' copies, as the kernel counts them
    lost: int | None = None


@dataclass(frozen=True)
class Tool:
    name: str
    what: str
    wrap: Callable[[list[str], Path], list[str]]
    read: Callable[[Run, Path, str], None]


def clean_environment() -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COWTRACE"))}
    return {**env, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}


def run(tool: Tool, command: list[str]) -> Run:
    with tempfile.TemporaryDirectory(prefix="cowtrace-bench-") as name:
        place = Path(name)
        done = subprocess.run(tool.wrap(command, place), capture_output=True, text=True, timeout=SECONDS, cwd=place,
                              env=clean_environment(), errors="replace")
        said = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not said:
            sys.exit(f"bench: {tool.name}: {' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        result = Run(json.loads(said[0]))
        tool.read(result, place, done.stdout + done.stderr)
    return result


def _nothing(_: Run, __: Path, ___: str) -> None:
    pass


def _read_cowtrace(result: Run, place: Path, _: str) -> None:
    found = json.loads((place / "report.json").read_text())["capture"]
    result.counted = found["copies"] - (found["uncounted_by_kernel"] or 0)
    result.kernel, result.lost = found["kernel_copies"], found["lost"]


def _read_perf(result: Run, place: Path, _: str) -> None:
    done = subprocess.run([PERF, "report", "--stats", "-i", place / "perf.data"], capture_output=True, text=True)
    # One sample for each fault, whatever came of it: of lost ones only this much can be said.
    result.lost = max(0, result.facts["copies"] - figures.perf_samples(done.stdout))


def _read_bpftrace(result: Run, _: Path, said: str) -> None:
    # Each write fault on a page that is mapped, in any process of the machine.
    result.counted = figures.bpftrace_count(said)
    result.lost = max(figures.bpftrace_lost(said), result.facts["copies"] - result.counted, 0)


UNTRACED = Tool("untraced", "nothing attached", lambda command, _: command, _nothing)


def cowtrace(name: str, what: str, *options: str) -> Tool:
    def wrap(command: list[str], place: Path) -> list[str]:
        return [str(COWTRACE), "run", "-q", *options, "--json", str(place / "report.json"), "--", *command]

    return Tool(name, what, wrap, _read_cowtrace)


def counted(tool: Tool) -> Tool:
    """The same; the kernel counts copies too."""
    def wrap(command: list[str], place: Path) -> list[str]:
        words = tool.wrap(command, place)
        return [*words[:2], "--delayacct", *words[2:]]

    return Tool(tool.name, tool.what, wrap, tool.read)


def perf() -> Tool:
    def wrap(command: list[str], place: Path) -> list[str]:
        return [PERF, "record", "-q", "-e", "exceptions:page_fault_user", "-c", "1", "-g", "-o", str(place / "perf.data"),
                "--", *command]

    return Tool("perf", "perf record -e exceptions:page_fault_user -c 1 -g", wrap, _read_perf)


def bpftrace() -> Tool:
    # It runs a command that it is given as one word, with a shell's idea of words.
    def wrap(command: list[str], _: Path) -> list[str]:
        return [BPFTRACE, "-e", BPFTRACE_PROGRAM, "-c", " ".join(command)]

    return Tool("bpftrace", f"bpftrace -e '{BPFTRACE_PROGRAM}'", wrap, _read_bpftrace)


def witnesses() -> list[str]:
    """Those that work here, the one first that cowtrace takes by itself."""
    done = subprocess.run([COWTRACE, "check", "-q", "--json", "-"], capture_output=True, text=True)
    found = [w for w in json.loads(done.stdout)["witnesses"] if w["works"]]
    return [w["name"] for w in sorted(found, key=lambda w: not w["used"])]


def pieces() -> list[Tool]:
    what = {"empty": "attached; the programs return at once",
            "witness": "copies are proven and counted in the kernel",
            "record": "and each is sent",
            "evidence": "and the instruction, the memory around the address, the object's type"}
    return [cowtrace(name, what[name], "--pieces", name) for name in PIECES]


def whole(witness: str, used: bool) -> Tool:
    words = "everything, as it is used"
    if used:
        return cowtrace("cowtrace", f"{words} (witness {witness})")
    return cowtrace(f"cowtrace/{witness}", f"{words}, witness {witness}", "--witness", witness)
