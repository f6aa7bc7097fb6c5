# SPDX-License-Identifier: MIT
"""Runs cowtrace and reads its outputs."""
from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
COWTRACE = Path(os.environ.get("COWTRACE", ROOT / "build" / "cowtrace"))
TARGETS = ROOT / "tests" / "targets"
BUILT = ROOT / "build" / "targets"
PAGE = 4096

Report = dict[str, Any]


@dataclass
class Run:
    """What one `cowtrace run` left behind."""

    status: int
    stdout: str
    stderr: str
    report: Report
    folded: list[str] = field(default_factory=list)

    @property
    def truth(self) -> list[Report]:
        """The lines of JSON that the target printed."""
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]


def target(name: str) -> str:
    return str(TARGETS / name) if name.endswith(".py") else str(BUILT / name)


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COWTRACE"))}
    env.update(PYTHONHASHSEED="0", PYTHONDONTWRITEBYTECODE="1", LC_ALL="C.UTF-8",
               MALLOC_MMAP_THRESHOLD_="65536")  # see truth.own_mappings()
    env.update(extra or {})
    return env


def run_cowtrace(
    args: Sequence[str],
    command: Sequence[str],
    env: dict[str, str] | None = None,
    fixed_layout: bool = False,
    stdin: str | None = None,
    timeout: float = 240,
    delayacct: bool = True,
) -> Run:
    """`cowtrace run ARGS --json ... --folded ... -- COMMAND`, with both outputs read back.

    fixed_layout: without address space randomization, so that two runs can be compared page by page.
    """
    with tempfile.TemporaryDirectory(prefix="cowtrace-") as place:
        js, folded = Path(place, "report.json"), Path(place, "stacks.folded")
        argv = [str(COWTRACE), "run", "--json", str(js), "--folded", str(folded)]
        argv += ["--delayacct"] if delayacct else []
        argv += [*args, "--", *command]
        if fixed_layout:
            argv = ["setarch", "-R", *argv]
        done = subprocess.run(
            argv, input=stdin or "", capture_output=True, env=environment(env), timeout=timeout,
            encoding="utf-8", errors="surrogateescape",
        )
        context = f"status {done.returncode}, standard error:\n{done.stderr}"
        assert js.exists(), f"no JSON was written; {context}"
        # Strict: invalid UTF-8 in a report is a defect.
        report = json.loads(js.read_bytes().decode("utf-8"))
        lines = folded.read_bytes().decode("utf-8").split("\n")
        assert lines[-1] == "", "the folded output does not end with a newline"
        return Run(done.returncode, done.stdout, done.stderr, report, lines[:-1])


def total(rows: list[Report], **want: Any) -> int:
    """Sum of `copies` over the rows whose keys have these values."""
    return sum(r["copies"] for r in rows if all(r.get(k) == v for k, v in want.items()))


def at_line(report: Report, path: str, mark: str, **want: Any) -> int:
    """Copies at the line of a Python target that carries the comment `# line: MARK`."""
    line = line_of(path, mark)
    return sum(
        s["copies"]
        for s in report["sites"]
        if s["file"] is not None
        and Path(s["file"]).name == Path(path).name
        and s["line"] == line
        and all(s.get(k) == v for k, v in want.items())
    )


def line_of(path: str, mark: str) -> int:
    found = [
        number
        for number, text in enumerate(Path(path).read_text().splitlines(), 1)
        if text.endswith(f"# line: {mark}")
    ]
    assert len(found) == 1, f"{path}: {len(found)} lines are marked {mark!r}"
    return found[0]


def in_symbol(report: Report, symbol: str, **want: Any) -> int:
    """Copies without a Python line whose leaf native function is symbol."""
    return total(report["sites"], file=None, function=symbol, **want)


def show_sites(report: Report) -> str:
    """For assertion messages: the sites, most copies first."""
    rows = sorted(report["sites"], key=lambda s: -s["copies"])[:100]
    return "\n".join(
        f"{s['copies']:8} {s['file']}:{s['line']} {s['function'][:60]} {s['cause']} {s['type']}"
        for s in rows
    )


def as_the_kernel_counts(report: Report) -> int:
    """The copies without those that the kernel never counts: the first writes to pages of files."""
    return report["capture"]["copies"] - report["capture"]["uncounted_by_kernel"]


def assert_closed(report: Report) -> None:
    """Nothing lost, and the kernel counted exactly as many copies, but for those that it never counts."""
    capture = report["capture"]
    assert capture["lost"] == 0, capture
    assert capture["kernel_copies"] == as_the_kernel_counts(report), capture


def assert_sums(report: Report) -> None:
    copies = report["capture"]["copies"]
    for table in ("causes", "sites", "processes", "details"):
        assert total(report[table]) == copies, f"{table} do not add up to {copies} copies"
    copied = report["capture"]["copied_bytes"]
    assert copied == sum(size["copies"] * size["bytes"] for size in report["page_sizes"])
    for table in ("causes", "sites", "processes", "details"):
        assert sum(row["copied_bytes"] for row in report[table]) == copied, table
        for row in report[table]:
            assert row["copied_bytes"] >= row["copies"] * report["host"]["page_size"], row


def wait_for(what: str, condition: Callable[[], Any], seconds: float = 60) -> Any:
    """Polls until condition() is true; returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"after {seconds} s: not {what}")
        time.sleep(0.02)


class Live:
    """A `cowtrace run` that the test talks to while it runs."""

    def __init__(self, args: Sequence[str], command: Sequence[str], env: dict[str, str] | None = None):
        self.place = tempfile.TemporaryDirectory(prefix="cowtrace-")
        self.json = Path(self.place.name, "report.json")
        self.err = open(Path(self.place.name, "stderr"), "w+b")  # noqa: SIM115
        self.process = subprocess.Popen(
            [str(COWTRACE), "run", "--json", str(self.json), *args, "--", *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err,
            env=environment(env), bufsize=0,
        )
        self.buffer = b""

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.stdout.close()
        self.err.close()
        self.place.cleanup()

    def stderr(self) -> str:
        self.err.seek(0)
        return self.err.read().decode("utf-8", "replace")

    def send(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")

    def line(self, seconds: float = 60) -> str:
        """The next line of the command's standard output."""
        assert self.process.stdout
        end = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            assert ready, f"no line after {seconds} s; standard error:\n{self.stderr()}"
            chunk = os.read(self.process.stdout.fileno(), 65536)
            assert chunk, f"standard output ended; standard error:\n{self.stderr()}"
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def finish(self, seconds: float = 120) -> int:
        """Ends the command's input and waits."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.process.wait(seconds)

    def report(self) -> Report:
        assert self.json.exists(), f"no JSON was written; standard error:\n{self.stderr()}"
        return json.loads(self.json.read_bytes().decode("utf-8"))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return state_of(pid) != "Z"


def state_of(pid: int) -> str:
    """R, S, T, Z ... as /proc has it; "" if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return re.sub(r"^.*\) ", "", text, flags=re.DOTALL)[0]


def kill_quietly(pid: int, sig: int = signal.SIGKILL) -> None:
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass
