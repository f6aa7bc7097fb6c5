# SPDX-License-Identifier: MIT
"""A CPython that is newer than any that cowtrace knows: 3.15's executable, made to say that it is 3.16."""
from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

import interpreters
from cow import COWTRACE, assert_closed, environment, run_cowtrace, target, at_line, show_sites

KNOWN = "3.15"
VERSION = 0x031000A1  # 3.16.0a1
# In _Py_DebugOffsets of 3.15: u64 positions.
COOKIE, AT_VERSION = b"xdebugpy", 8
AT_FRAME_PREVIOUS, AT_CODE_QUALNAME = 320, 400


def symbol(path: Path, name: str) -> int:
    """Its offset in the file. Taken from nm and the program headers, not from cowtrace's own reader."""
    listing = subprocess.run(["nm", "-D", str(path)], capture_output=True, text=True, check=True).stdout
    (address,) = (int(line.split()[0], 16) for line in listing.splitlines() if line.split()[-1] == name)
    headers = subprocess.run(["readelf", "-lW", str(path)], capture_output=True, text=True, check=True).stdout
    for line in headers.splitlines():
        words = line.split()
        if words[:1] == ["LOAD"]:
            offset, start, size = (int(words[i], 16) for i in (1, 2, 4))
            if start <= address < start + size:
                return address - start + offset
    raise AssertionError(f"{name} lies in no segment of {path}")


def patched(tmp_path: Path, changes: dict[int, int]) -> interpreters.Interpreter:
    """A copy of the executable that says 3.16, with changes to its debug offsets."""
    known = interpreters.fetched(KNOWN)
    assert known.tree
    copy = tmp_path / "python3.16"
    shutil.copy(Path(known.tree, "usr/bin", f"python{KNOWN}").resolve(), copy)
    runtime, version = symbol(copy, "_PyRuntime"), symbol(copy, "Py_Version")
    with open(copy, "r+b") as f:
        f.seek(runtime)
        assert f.read(len(COOKIE)) == COOKIE
        for at, value in {AT_VERSION: VERSION, **changes}.items():
            f.seek(runtime + at)
            f.write(struct.pack("<Q", value))
        f.seek(version)
        assert struct.unpack("<Q", f.read(8))[0] >> 16 == 0x030F
        f.seek(version)
        f.write(struct.pack("<Q", VERSION))
    return interpreters.Interpreter("3.16", "/tmp/programs/python3.16", known.tree, str(tmp_path))


def test_a_newer_version_with_offsets_that_pass(tmp_path: Path) -> None:
    python = patched(tmp_path, {})
    run = run_cowtrace([], python.command("refcount23.py"), env={"PYTHONHOME": "/usr"})
    assert run.status == 0, run.stderr
    path = target("refcount23.py")
    for kind, count in (("bytes", 23), ("str", 19), ("Payload", 11)):
        assert at_line(run.report, path, kind, cause="refcount", type=kind) == count, show_sites(run.report)
    assert {p["python"] for p in run.report["processes"] if p["python"]} == {"3.16.0a1"}
    text = " ".join(run.stderr.split())
    assert "3.16" in text and "newer than" in text, run.stderr
    assert_closed(run.report)


@pytest.mark.parametrize("at,value", [
    (AT_FRAME_PREVIOUS, 1 << 20),
    (AT_FRAME_PREVIOUS, 1 << 63),
    (AT_CODE_QUALNAME, 3),
    (AT_CODE_QUALNAME, 4096),
])
def test_a_newer_version_with_an_offset_that_can_not_be(tmp_path: Path, at: int, value: int) -> None:
    python = patched(tmp_path, {at: value})
    run = run_cowtrace([], python.command("refcount23.py"), env={"PYTHONHOME": "/usr"})
    assert run.status == 0, run.stderr
    assert all(s["file"] is None for s in run.report["sites"]), show_sites(run.report)
    text = " ".join(run.stderr.split())
    assert "3.16" in text and "newer than" in text, run.stderr
    assert "native" in text, run.stderr
    assert_closed(run.report)


@pytest.mark.parametrize("changes", [{}, {AT_CODE_QUALNAME: 3}], ids=["passes", "refused"])
def test_a_newer_version_in_a_check(tmp_path: Path, changes: dict[int, int]) -> None:
    """`cowtrace check` says it while such a process lives."""
    (tmp_path / "waits.py").write_text("print(flush=True)\ninput()\n")
    python = patched(tmp_path, changes)
    command = [word.replace("/tmp/targets/waits.py", "/tmp/programs/waits.py") for word in python.command("waits.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env=environment({"PYTHONHOME": "/usr"})) as process:
        assert process.stdin and process.stdout
        assert process.stdout.readline()
        done = subprocess.run([str(COWTRACE), "check", "--json", "-"], capture_output=True, text=True, timeout=120)
        process.stdin.write(b"\n")
        process.stdin.close()
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    (found,) = (p for p in facts["pythons"] if p["version"] == "3.16.0a1")
    assert found["newer"] and found["explained"] == (not changes)
    assert "newer than" in found["problem"]
    (lack,) = (lack for lack in facts["lacks"] if "3.16.0a1" in lack["what"])
    assert lack["weight"] == ("less" if changes else "note")
    assert "newer cowtrace" in lack["advice"]
