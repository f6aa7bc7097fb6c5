# SPDX-License-Identifier: MIT
"""report --baseline: two releases of a program whose copies are known by construction (shop.py)."""
from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cow import COWTRACE, PAGE, Report, environment, line_of, run_cowtrace, target

SHOP = target("shop.py")
SVG = "{http://www.w3.org/2000/svg}"
ADDED = 5  # lines above all others, in the second release


def report(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(COWTRACE), "report", *args], capture_output=True, text=True, timeout=120,
                          env=environment(), stdin=subprocess.DEVNULL)


def record(python: str, place: Path, release: int, workers: int) -> Path:
    """The program lies in a directory with the number of its release in it; its lines move."""
    program, path = place / f"shop-1.{release}" / "shop.py", place / f"release-{release}.cow"
    program.parent.mkdir()
    program.write_text("# another comment\n" * (ADDED if release == 2 else 0) + Path(SHOP).read_text())
    run = run_cowtrace(["--save", str(path)], [python, str(program), str(release), str(workers)],
                       env={"PYTHONPATH": str(Path(SHOP).parent)})
    assert run.report["capture"]["lost"] == 0
    return path


@pytest.fixture(scope="module")
def releases(any_python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("releases")
    return record(any_python, place, 1, 2), record(any_python, place, 2, 3)


@pytest.fixture(scope="module")
def baseline(releases: tuple[Path, Path]) -> Report:
    done = report("-q", "--json", "-", str(releases[1]), "--baseline", str(releases[0]))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["baseline"]


def at(baseline: Report, function: str) -> dict[str, Any]:
    """The row of the objects that the function reads."""
    rows = [row for row in baseline["sites"] if row["function"] == function and row["type"] == "bytes"]
    assert len(rows) == 1, rows
    return rows[0]


def test_what_is_gone(baseline: Report) -> None:
    row = at(baseline, "total")
    assert (row["older_copies"], row["newer_copies"], row["state"]) == (2 * 23, 0, "gone")
    assert row["change_bytes_per_worker"] == -23 * PAGE


def test_what_is_new(baseline: Report) -> None:
    row = at(baseline, "offers")
    assert (row["older_copies"], row["newer_copies"], row["state"]) == (0, 3 * 13, "appeared")
    assert row["change_bytes_per_worker"] == 13 * PAGE
    assert row["line"] == line_of(SHOP, "offers") + ADDED


def test_what_moved_is_the_same(baseline: Report) -> None:
    row = at(baseline, "names")
    assert (row["older_copies"], row["newer_copies"], row["state"]) == (2 * 17, 3 * 17, "same")
    assert row["older_bytes_per_worker"] == row["newer_bytes_per_worker"] == 17 * PAGE
    assert (row["older_line"], row["line"]) == (line_of(SHOP, "names"), line_of(SHOP, "names") + ADDED)
    assert row["older_file"].endswith("shop-1.1/shop.py") and row["file"].endswith("shop-1.2/shop.py")


def test_workers_are_one_group(baseline: Report) -> None:
    workers = [row for row in baseline["processes"] if row["workers"]]
    assert [(row["older_processes"], row["newer_processes"]) for row in workers] == [(2, 3)]
    assert (baseline["older_workers"], baseline["newer_workers"]) == (2, 3)
    assert any("2 workers then, 3 now" in remark["text"] for remark in baseline["remarks"])


def test_each_run_is_what_its_own_report_says(releases: tuple[Path, Path], baseline: Report) -> None:
    older = json.loads(report("-q", "--json", "-", str(releases[0])).stdout)
    newer = json.loads(report("-q", "--json", "-", str(releases[1])).stdout)
    assert baseline["capture"] == older["capture"] and baseline["host"] == older["host"]
    for table in "causes", "sites", "processes":
        for side, run in ("older", older), ("newer", newer):
            assert sum(row[f"{side}_copies"] for row in baseline[table]) == run["capture"]["copies"]


def test_text_begins_with_a_sentence(releases: tuple[Path, Path], baseline: Report) -> None:
    done = report(str(releases[1]), "--baseline", str(releases[0]), "--top", "100")
    text = " ".join(done.stdout.split())
    assert text.startswith(baseline["sentence"]) and "release-1.cow" in baseline["sentence"]
    lines = done.stdout.splitlines()
    assert any(re.search(r"in total\(\) .*-92\.0 +gone +refcount of bytes", line) for line in lines), done.stdout
    assert any(re.search(r"in offers\(\) .*\+52\.0 +new +refcount of bytes", line) for line in lines), done.stdout
    assert max(map(len, lines)) <= 100
    # The report of the newer run follows as it is.
    assert done.stdout.endswith(report(str(releases[1]), "--top", "100").stdout)


def test_folded_has_two_weights(releases: tuple[Path, Path], baseline: Report) -> None:
    done = report("-q", "--folded", "-", str(releases[1]), "--baseline", str(releases[0]))
    sums = [0, 0]
    for line in done.stdout.splitlines():
        match = re.fullmatch(r"(.+) (\d+) (\d+)", line)
        assert match and not re.search(r"\[\d+\];", line), line
        sums = [sums[0] + int(match[2]), sums[1] + int(match[3])]
        if ";names (" in line and line.split(" ")[-3].endswith("bytes"):
            assert (int(match[2]), int(match[3])) == (17 * PAGE, 17 * PAGE)
    n = len(done.stdout.splitlines())
    assert abs(sums[0] - baseline["total"]["older_bytes_per_worker"]) <= n
    assert abs(sums[1] - baseline["total"]["newer_bytes_per_worker"]) <= n


def test_go_reads_the_difference(releases: tuple[Path, Path], baseline: Report, tmp_path: Path) -> None:
    output = tmp_path / "copies.pb.gz"
    assert report("-q", "--pprof", str(output), str(releases[1]), "--baseline", str(releases[0])).returncode == 0
    done = subprocess.run(["go", "tool", "pprof", "-top", "-unit", "b", "-nodecount", "1000", "-nodefraction", "0",
                           "-focus", "^(total|names|offers)$", "-tagfocus", "type=bytes", str(output)],
                          capture_output=True, text=True, timeout=120, env={**environment(), "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    flat = {row[-1]: row[0] for row in (line.split() for line in done.stdout.splitlines()) if len(row) == 6}
    assert flat["total"] == f"{-23 * PAGE}B" and flat["offers"] == f"{13 * PAGE}B", done.stdout
    assert flat.get("names", "0") == "0"
    # Percents are of the older run, as with -diff_base.
    match = re.search(r"Total samples = (\d+)B", done.stdout)
    assert match and abs(int(match[1]) - baseline["total"]["older_bytes_per_worker"]) <= len(baseline["sites"])


def test_flame_graph_has_what_is_gone(releases: tuple[Path, Path], baseline: Report) -> None:
    done = report("-q", "--flamegraph", "-", str(releases[1]), "--baseline", str(releases[0]))
    frames = [e for e in ElementTree.fromstring(done.stdout).iter(SVG + "svg") if "ct-f" in (e.get("class") or "").split()]
    told = [((e.find(SVG + "title").text or "").split("\n"), (e.get("class") or "").split(), int(e.get("data-b") or 0))
            for e in frames]
    less = [bytes_ for (name, *_), classes, bytes_ in told if name == "total" and "ct-no-longer" in classes]
    assert sum(less) >= 23 * PAGE
    assert not [name for (name, *_), classes, _ in told if name == "total" and "ct-no-longer" not in classes]
    now = next(bytes_ for (name, *_), _, bytes_ in told if name == "copied now")
    assert abs(now - baseline["total"]["newer_bytes_per_worker"]) <= len(told)


def test_a_recording_with_itself(releases: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    done = report("--json", str(output), str(releases[0]), "--baseline", str(releases[0]))
    assert done.returncode == 0
    assert done.stdout.startswith("Nothing changed since release-1.cow: ")
    assert "WHAT CHANGED" not in done.stdout
    baseline = json.loads(output.read_text())["baseline"]
    assert not baseline["changed"] and baseline["remarks"] == []
    assert {row["state"] for row in baseline["sites"]} == {"same"}


@pytest.mark.parametrize("kind", ["missing", "a directory", "not a recording", "cut short", "too new"])
def test_baselines_that_can_not_be_read(kind: str, releases: tuple[Path, Path], tmp_path: Path) -> None:
    path, output = tmp_path / "bad.cow", tmp_path / "out.json"
    if kind == "a directory":
        path.mkdir()
    elif kind == "not a recording":
        path.write_text("something else\n" * 1000)
    elif kind == "cut short":
        path.write_bytes(releases[0].read_bytes()[:5000])
    elif kind == "too new":
        shutil.copy(releases[0], path)
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
    as_baseline = report(str(releases[1]), "--baseline", str(path), "--json", str(output))
    assert as_baseline.returncode == 1 and as_baseline.stdout == ""
    assert len(as_baseline.stderr.splitlines()) == 1 and str(path) in as_baseline.stderr
    assert not output.exists(), "an output was begun"
    assert as_baseline.stderr == report(str(path)).stderr, "another line than for the recording itself"


def test_where_there_is_no_baseline(releases: tuple[Path, Path]) -> None:
    for args in (["run", "--baseline", "x.cow", "--", "true"], ["attach", "--baseline", "x.cow", "-p", "1"],
                 ["check", "--baseline", "x.cow"], ["top", "--baseline", "x.cow"],
                 ["report", str(releases[1]), "--baseline", str(releases[0]), "--speedscope", "-"]):
        done = subprocess.run([str(COWTRACE), *args], capture_output=True, text=True, timeout=60)
        assert done.returncode == 2 and done.stdout == "", args
        assert len(done.stderr.splitlines()) == 1, done.stderr
