# SPDX-License-Identifier: MIT
"""Recordings as other programs see them: the example queries of the manual, with the shell of SQLite."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cow import COWTRACE, PAGE, ROOT, Run, run_cowtrace, target, total

Rows = list[dict[str, Any]]


def queries() -> list[str]:
    """Of README.md, which scripts/gen-docs keeps equal to the manual page."""
    text = (ROOT / "README.md").read_text()
    part = text.split("<!-- queries:begin -->\n```sql\n")[1].split("```\n<!-- queries:end -->")[0]
    found = [query.strip() for query in part.split("\n\n") if query.strip()]
    assert len(found) == 10
    return found


def ask(path: Path, query: str) -> Rows:
    done = subprocess.run(["sqlite3", "-batch", "-readonly", "-json", str(path)], input=query,
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout) if done.stdout else []


@pytest.fixture(scope="module")
def recorded(any_python: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    path = tmp_path_factory.mktemp("recorded") / "run.cow"
    return path, run_cowtrace(["--save", str(path)], [any_python, target("preload.py"), "300007"])


@pytest.fixture(scope="module")
def answers(recorded: tuple[Path, Run]) -> list[Rows]:
    return [ask(recorded[0], query) for query in queries()]


def test_how_many(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    copies = recorded[1].report["capture"]["copies"]
    assert answers[0] == [{"copies": copies, "mib": copies * PAGE / 2**20, "finished": 1}]


def test_causes(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    for row in answers[1]:
        want = total(recorded[1].report["causes"], cause=row["cause"], certainty=row["certainty"])
        assert row["copies"] == want > 0
    assert total(answers[1]) == recorded[1].report["capture"]["copies"]


def test_lines(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    keys = ("file", "line", "function", "cause", "type")
    assert answers[2][0]["function"] == "BigApp.total"
    for row in answers[2]:
        assert row["copies"] == total(recorded[1].report["sites"], **{key: row[key] for key in keys})


def test_processes(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    wanted = {p["pid"]: p for p in recorded[1].report["processes"] if p["copies"]}
    assert {row["pid"] for row in answers[3]} == set(wanted)
    for row in answers[3]:
        want = wanted[row["pid"]]
        assert row["command"] == want["command"] and row["copies"] == want["copies"]
        assert row["shared_at_fork"] == want["shared_at_fork_bytes"]
        assert row["shared_now"] == want["shared_now_bytes"]


def test_forks(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    forked = [p for p in recorded[1].report["processes"] if p["forked"]]
    assert [(row["parent_pid"], row["child_pid"]) for row in answers[4]] == [(p["ppid"], p["pid"]) for p in forked]
    assert all(0 < row["seconds"] < recorded[1].report["capture"]["seconds"] for row in answers[4])
    rows = ask(recorded[0], "SELECT parent, child FROM fork JOIN process ON process.id = parent"
                            " WHERE process.pid = parent_pid")
    assert len(rows) == len(forked)


def test_seconds(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    assert total(answers[5]) == recorded[1].report["capture"]["copies"]
    assert max(row["second"] for row in answers[5]) <= recorded[1].report["capture"]["seconds"]


def test_pages(answers: list[Rows]) -> None:
    assert answers[6][0]["processes"] == 4 or answers[6][0]["processes"] == 3
    assert all(int(row["page"], 16) % PAGE == 0 for row in answers[6])


def test_stack(recorded: tuple[Path, Run], answers: list[Rows]) -> None:
    heaviest = max(recorded[1].folded, key=lambda line: int(line.rsplit(" ", 1)[1]))
    names = re.findall(r";([^;]+) \([^;]*:\d+\)", heaviest)
    assert [row["function"] for row in answers[7]][::-1] == names
    assert [row["depth"] for row in answers[7]] == list(range(len(names)))


def test_evidence(answers: list[Rows]) -> None:
    top = answers[8][0]
    assert (top["cause"], top["type"]) == ("refcount", "int")
    assert top["insn"] in ("add", "store", "inc", "sub", "dec")
    assert abs(int(top["new"], 16) - int(top["old"], 16)) == 1


def test_losses(answers: list[Rows]) -> None:
    assert answers[9] == [{"reason": "not saved", "copies": 0}]


def test_hostile_names(any_python: str, tmp_path: Path) -> None:
    """They are text of the database, and do not get out of what a query shows."""
    path = tmp_path / "run.cow"
    run = run_cowtrace(["--save", str(path)], [any_python, target("hostile.py")])
    names = {row["function"] for row in ask(path, "SELECT DISTINCT function FROM site WHERE function IS NOT NULL")}
    assert {site["function"] for site in run.report["sites"] if site["file"]} <= names
    assert any("<script>" in name for name in names)
    assert ask(path, "SELECT max(length(CAST(function AS BLOB))) AS most FROM site")[0]["most"] <= 512
    assert ask(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_read_only(recorded: tuple[Path, Run], tmp_path: Path) -> None:
    """A report writes nothing beside the recording, and nothing into it."""
    path = tmp_path / "run.cow"
    shutil.copy(recorded[0], path)
    before = path.read_bytes()
    path.chmod(0o444)
    done = subprocess.run([str(COWTRACE), "report", str(path)], capture_output=True, timeout=60)
    assert done.returncode == 0 and path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["run.cow"]
