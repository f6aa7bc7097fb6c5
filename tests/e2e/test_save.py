# SPDX-License-Identifier: MIT
"""--save and report: what a recording says is what the live run said, byte for byte."""
from __future__ import annotations

import json
import re
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attached import children
from cow import COWTRACE, Live, Run, alive, environment, kill_quietly, run_cowtrace, target, wait_for


def outputs() -> list[str]:
    """All that writes a file from a snapshot, by the help text."""
    done = subprocess.run([str(COWTRACE), "--help"], capture_output=True, text=True, check=True)
    part = done.stdout.split("\nOutputs", 1)[1].split("\nOptions", 1)[0]
    names = re.findall(r"^  --([a-z-]+) FILE", part, re.MULTILINE)
    assert {"json", "folded", "save"} <= set(names)
    return [name for name in names if name != "save"]


def report(path: Path, *args: str) -> subprocess.CompletedProcess:
    return subprocess.run([str(COWTRACE), "report", *args, str(path)], capture_output=True, timeout=300,
                          env=environment(), stdin=subprocess.DEVNULL)


def options(place: Path, kind: str) -> list[str]:
    """An option for each output that run_cowtrace does not ask for itself."""
    return [word for name in outputs() for word in (f"--{name}", str(place / f"{kind}.{name}"))]


def record(place: Path, args: list[str], command: list[str], **kwargs: object) -> Run:
    asked = [word for name in outputs() if name not in ("json", "folded")
             for word in (f"--{name}", str(place / f"live.{name}"))]
    run = run_cowtrace([*args, *asked, "--save", str(place / "run.cow")], command, **kwargs)
    assert sorted(p.name for p in place.glob("run.cow*")) == ["run.cow"], "more than one file is left"
    return run


def assert_same(place: Path, run: Run) -> None:
    done = report(place / "run.cow", *options(place, "read"))
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    text = run.stderr[run.stderr.index("cowtrace 0."):]
    assert done.stdout.decode() == text
    assert json.loads((place / "read.json").read_bytes()) == run.report
    assert (place / "read.folded").read_text().splitlines() == run.folded
    for name in outputs():
        live = place / f"live.{name}"
        if live.exists():
            assert live.read_bytes() == (place / f"read.{name}").read_bytes(), name


def test_standard_output_has_one_of_them(tmp_path):
    """The text report makes room for an output that goes where it would."""
    record(tmp_path, [], ["true"])
    done = report(tmp_path / "run.cow", "--json", "-")
    assert done.returncode == 0 and json.loads(done.stdout)["schema"] == 1
    done = report(tmp_path / "run.cow", "--json", str(tmp_path / "read.json"))
    assert done.stdout.startswith(b"cowtrace ")


WORKLOADS = {
    "preload": (["preload.py", "300007"], []),
    "hostile": (["hostile.py"], []),
    "deep": (["deep.py"], []),
    "mixed": (["mixed.py"], []),
    "recycled": (["recycled.py"], []),
    "threads": (["threads.py"], []),
    "shortlived": (["shortlived.py"], []),
    "spawn": (["spawn.py"], []),
    "storm": (["storm", "10007"], []),
    "race": (["race"], []),
    "losses": (["storm", "100003"], ["--ring-size", "4096"]),
    "zero": (["zero"], []),
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_report_is_the_live_one(name: str, any_python: str, tmp_path: Path) -> None:
    (program, *args), wanted = WORKLOADS[name]
    command = [any_python] if program.endswith(".py") else []
    run = record(tmp_path, wanted, [*command, target(program), *args])
    assert run.report["capture"]["copies"] > 0
    if name == "losses":
        assert run.report["capture"]["lost"] > 0
    assert_same(tmp_path, run)


def test_without_the_count_of_the_kernel(any_python: str, tmp_path: Path) -> None:
    run = record(tmp_path, [], [any_python, target("preload.py"), "100003"], delayacct=False)
    assert run.report["capture"]["kernel_copies"] is None
    assert_same(tmp_path, run)


def test_nothing_was_forked(tmp_path: Path) -> None:
    assert_same(tmp_path, record(tmp_path, [], ["true"]))


def test_options_of_the_text(any_python: str, tmp_path: Path) -> None:
    run = record(tmp_path, ["--top", "3"], [any_python, target("preload.py"), "100003"])
    done = report(tmp_path / "run.cow", "--top", "3")
    assert done.stdout.decode() == run.stderr
    assert report(tmp_path / "run.cow", "-q").stdout == b""
    after = subprocess.run([str(COWTRACE), "report", str(tmp_path / "run.cow"), "-q", "--json", "-"],
                           capture_output=True, check=True)
    assert json.loads(after.stdout) == run.report


@pytest.fixture(scope="module")
def million(any_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Run]]:
    place = tmp_path_factory.mktemp("million")
    yield place, record(place, [], [any_python, target("million.py"), "60000", "17"])
    shutil.rmtree(place)


def test_a_million_copies(million: tuple[Path, Run]) -> None:
    place, run = million
    copies = run.report["capture"]["copies"]
    assert copies > 1_000_000 and run.report["capture"]["lost"] == 0
    size = (place / "run.cow").stat().st_size
    assert size <= 24 * copies, f"{size / copies:.1f} bytes a copy"
    assert_same(place, run)
    with sqlite3.connect(place / "run.cow") as db:
        assert db.execute("SELECT count(*) FROM copy").fetchone() == (copies,)
        causes = dict(db.execute("SELECT cause, count(*) FROM copies GROUP BY cause"))
        low, high = db.execute("SELECT min(seconds), max(seconds) FROM copies").fetchone()
        pages = db.execute("SELECT count(*) FROM (SELECT DISTINCT address, pid FROM copies)").fetchone()[0]
        assert db.execute("SELECT count(*) FROM copies WHERE address % 4096").fetchone() == (0,)
    wanted: dict[str, int] = {}
    for row in run.report["causes"]:
        wanted[row["cause"]] = wanted.get(row["cause"], 0) + row["copies"]
    assert causes == wanted
    assert -0.1 < low < high < run.report["capture"]["seconds"]
    assert pages > 0.99 * copies, "a page was hardly ever copied twice in one process"


# --- what a crash leaves ---------------------------------------------------------


def saved(path: Path) -> int:
    """Copies that have been committed."""
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM copy").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


@pytest.mark.parametrize("moment", range(3))
def test_killed(moment: int, any_python: str, tmp_path: Path) -> None:
    """SIGKILL: what was committed is there, and it is said that there is no more."""
    path = tmp_path / "run.cow"
    with Live(["--save", str(path)], [any_python, target("million.py"), "6000", "100000"]) as live:
        pid = wait_for("a child", lambda: children(live.process.pid))[0]
        wait_for("copies in the file", lambda: saved(path) > moment * 3000)
        live.process.send_signal(signal.SIGKILL)
        live.process.wait()
        kill_quietly(pid)
    wait_for("the end of the command", lambda: not alive(pid))
    before = saved_after_repair(path)
    done = report(path, "--json", str(tmp_path / "read.json"))
    assert done.returncode == 0, done.stderr
    text = done.stdout.decode()
    assert "CUT OFF" in text and f"{before:,}" in text, text
    read = json.loads((tmp_path / "read.json").read_bytes())
    assert read["capture"]["copies"] == before > moment * 3000
    assert "killed" in read["capture"]["cut"]
    assert any(site["function"] == "read_bytes" for site in read["sites"])
    assert "read_bytes" in text and "million.py" in text
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def saved_after_repair(path: Path) -> int:
    with sqlite3.connect(path) as db:
        return db.execute("SELECT count(*) FROM copy").fetchone()[0]


FULL = r"""
mount --make-rprivate / 2>/dev/null
mount -t tmpfs -o size=700k none "$1" || exit 99
shift
"$@"
status=$?
ls -A "$PLACE" >"$OUT/left"
cp "$PLACE"/run.cow "$OUT"/run.cow
exit $status
"""


def test_full_disk(any_python: str, tmp_path: Path) -> None:
    """Tracing goes on; the file ends, and says where and why."""
    place, live = tmp_path / "small", tmp_path / "live.json"
    place.mkdir()
    command = [str(COWTRACE), "run", "--delayacct", "--json", str(live), "--save", str(place / "run.cow"), "--",
               any_python, target("million.py"), "30000", "5"]
    done = subprocess.run(["unshare", "--mount", "sh", "-c", FULL, "sh", str(place), *command],
                          capture_output=True, text=True, timeout=240,
                          env=environment({"PLACE": str(place), "OUT": str(tmp_path)}))
    assert done.returncode == 125, done.stderr
    said = [line for line in done.stderr.splitlines() if line.startswith("cowtrace: ")]
    assert len(said) == 1 and "no space left" in said[0], done.stderr
    seen = json.loads(live.read_bytes())["capture"]
    assert seen["copies"] > 140_000 and seen["lost"] == 0
    assert seen["kernel_copies"] == seen["copies"] - seen["uncounted_by_kernel"]
    assert "SHARING BROKEN" in done.stderr

    done = report(tmp_path / "run.cow", "--json", str(tmp_path / "read.json"), "--folded",
                  str(tmp_path / "read.folded"))
    assert done.returncode == 0, done.stderr
    assert b"CUT OFF" in done.stdout and b"no space left" in done.stdout
    read = json.loads((tmp_path / "read.json").read_bytes())
    missing = read["capture"]["lost_by_reason"]["not_saved"]
    assert read["capture"]["copies"] + missing == seen["copies"] and missing > 0
    assert read["capture"]["kernel_copies"] == seen["kernel_copies"]
    assert [p["shared_at_fork_bytes"] for p in read["processes"]] == [
        p["shared_at_fork_bytes"] for p in json.loads(live.read_bytes())["processes"]]
    assert "[lost];not_saved" in (tmp_path / "read.folded").read_text()
    assert (tmp_path / "left").read_text() == "run.cow\n"


def test_no_place_for_the_file(tmp_path: Path) -> None:
    """Before anything is run."""
    marker = tmp_path / "ran"
    for path, word in ((tmp_path / "no" / "run.cow", "cannot write"), (Path("/dev/full"), "not overwritten"),
                       (tmp_path, "not overwritten")):
        done = subprocess.run([str(COWTRACE), "run", "--save", str(path), "--", "touch", str(marker)],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 125, done.stderr
        assert len(done.stderr.splitlines()) == 1 and word in done.stderr, done.stderr
    assert not marker.exists()


@pytest.mark.parametrize("what", ["missing", "text", "foreign", "newer", "cut"])
def test_no_recording(what: str, tmp_path: Path) -> None:
    path = tmp_path / "run.cow"
    if what == "text":
        path.write_text("not a recording\n" * 100)
    elif what == "foreign":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE copy(fact)")
    elif what in ("newer", "cut"):
        record(tmp_path, [], ["true"])
        if what == "newer":
            with sqlite3.connect(path) as db:
                db.execute("PRAGMA user_version = 1000")
        else:
            path.write_bytes(path.read_bytes()[:10000])
    done = report(path)
    assert done.returncode == 1 and done.stdout == b""
    lines = done.stderr.decode().splitlines()
    word = {"missing": "No such file", "text": "no recording", "foreign": "no recording",
            "newer": "newer cowtrace", "cut": "damaged"}[what]
    assert len(lines) == 1 and word in lines[0] and str(path) in lines[0], lines
