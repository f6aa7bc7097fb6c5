# SPDX-License-Identifier: MIT
"""Bad input and the messages it gets: one line, the right status, before anything is run."""
from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cow import COWTRACE, environment, in_symbol, run_cowtrace, target


def cowtrace(*argv: str, **kwargs: object) -> subprocess.CompletedProcess:
    return subprocess.run([str(COWTRACE), *argv], capture_output=True, text=True, timeout=60,
                          env=environment(), stdin=subprocess.DEVNULL, **kwargs)


def one_line(done: subprocess.CompletedProcess) -> str:
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.mark.parametrize("argv", [
    ["frobnicate"],
    ["--frobnicate"],
    ["run", "--frobnicate", "--", "true"],
    ["run", "--json"],
    ["run", "--top", "many", "--", "true"],
    ["run", "--top", "-3", "--", "true"],
    ["run", "--ring-size", "0x", "--", "true"],
    ["run", "--witness", "nonsense", "--", "true"],
    ["run"],
    ["run", "--"],
], ids=" ".join)
def test_usage_errors_are_2(argv: list[str]) -> None:
    done = cowtrace(*argv)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert 1 <= len(done.stderr.splitlines()) <= 3, done.stderr


def test_unknown_command_is_named() -> None:
    done = cowtrace("frobnicate")
    assert "frobnicate" in done.stderr


def test_no_command_is_a_usage_error() -> None:
    done = cowtrace()
    assert done.returncode == 2
    assert "--help" in one_line(done)


def test_help_and_version() -> None:
    done = cowtrace("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for word in ("run", "--json", "--folded", "--witness", "--top", "-u", "--delayacct"):
        assert word in done.stdout, word
    assert max(map(len, done.stdout.splitlines())) <= 100
    version = cowtrace("--version")
    assert version.returncode == 0
    assert version.stdout.startswith("cowtrace ")


def test_options_of_the_command_are_its_own() -> None:
    done = cowtrace("run", "-q", "echo", "--json", "x", "-u")
    assert done.stdout == "--json x -u\n"


@pytest.mark.parametrize("option", ["--json", "--folded"])
@pytest.mark.parametrize("name", ["missing/out", "directory"])
def test_unwritable_output_is_found_before_the_run(tmp_path: Path, option: str, name: str) -> None:
    (tmp_path / "directory").mkdir()
    mark = tmp_path / "ran"
    done = cowtrace("run", option, str(tmp_path / name), "--", "touch", str(mark))
    assert done.returncode == 125
    assert name in one_line(done)
    assert not mark.exists(), "the command was run all the same"


def test_output_that_fails_at_the_end(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    done = cowtrace("run", "-q", "--json", "/dev/full", "--", "true")
    assert done.returncode == 125
    assert "/dev/full" in one_line(done)


def test_json_on_standard_output() -> None:
    done = cowtrace("run", "-q", "--json", "-", "--", "true")
    assert done.returncode == 0
    assert done.stdout.startswith("{") and done.stdout.endswith("}\n")


def test_no_root_is_one_clear_line(world_readable: Path) -> None:
    program = world_readable / "cowtrace"
    shutil.copy(COWTRACE, program)
    mark = world_readable / "ran"
    done = subprocess.run([str(program), "run", "--", "touch", str(mark)], capture_output=True, text=True,
                          timeout=60, env=environment(), user="nobody", group="nogroup", extra_groups=[])
    assert done.returncode == 125
    assert "root" in one_line(done)
    assert not mark.exists()


@pytest.mark.parametrize("witness", ["fexit", "kprobe", "tracepoints", "wp_page_copy"])
def test_witness_is_used_or_refused(witness: str, tmp_path: Path) -> None:
    report = tmp_path / "r.json"
    done = cowtrace("run", "--witness", witness, "--json", str(report), "--", target("storm"), "101")
    if done.returncode == 125:
        # The tracepoints are all that the build machine has; the others are refused by many machines.
        assert witness != "tracepoints"
        reasons = {"fexit": "refuses fexit: |no function do_wp_page",
                   "kprobe": "no kprobes|no function do_wp_page",
                   "wp_page_copy": "no function wp_page_copy|refuses wp_page_copy: "}
        assert re.search(reasons[witness], one_line(done)), done.stderr
        assert not report.exists() or not report.read_text()
        return
    import json

    found = json.loads(report.read_text())
    assert found["capture"]["witness"] == witness
    assert in_symbol(found, "storm_write") == 101
    assert bool(found["capture"]["witness_note"]) == (witness == "wp_page_copy")
    assert ("counts how often the kernel began" in " ".join(done.stderr.split())) == (witness == "wp_page_copy")


def test_verbose_says_why_a_better_witness_was_refused() -> None:
    done = cowtrace("run", "-q", "-v", "--", "true")
    assert done.returncode == 0, done.stderr
    refused = re.findall(r"^cowtrace: witness (\w+): (.*)$", done.stderr, re.M)
    chosen = run_cowtrace([], ["true"]).report["capture"]["witness"]
    assert chosen not in [name for name, _ in refused]
    assert all(reason.strip() for _, reason in refused), refused
    forced = cowtrace("run", "-q", "--witness", chosen, "--", "true")
    assert forced.returncode == 0, forced.stderr
    for name, reason in refused:
        assert reason in one_line(cowtrace("run", "-q", "--witness", name, "--", "true"))


def test_top_limits_the_text_only() -> None:
    few = run_cowtrace(["--top", "1"], [target("data")])
    many = run_cowtrace(["--top", "50"], [target("data")])
    assert len(few.stderr.splitlines()) < len(many.stderr.splitlines())
    assert {s["function"] for s in few.report["sites"]} >= {"data_write", "bss_write"}
