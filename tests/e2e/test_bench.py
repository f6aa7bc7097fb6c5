# SPDX-License-Identifier: MIT
"""What `make bench` makes of its samples, and that what it measures is what it says. No time is judged here."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import pythons
from cow import ROOT, Run, run_cowtrace, target

sys.path.insert(0, str(ROOT / "tests" / "bench"))

import bench_table  # noqa: E402
import copies  # noqa: E402
import figures  # noqa: E402
import programs  # noqa: E402
import readme  # noqa: E402
import tools  # noqa: E402
from figures import Goal  # noqa: E402

PAGES = 2003
STORM = str(ROOT / "tests/bench/storm.py")


def test_half_of_the_samples() -> None:
    assert figures.spread([5, 1, 3, 2, 4]) == figures.Spread(3, 2, 4)
    assert figures.spread([7]) == figures.Spread(7, 7, 7)
    with pytest.raises(ValueError, match="nothing"):
        figures.spread([])


def test_a_ratio_needs_something_to_compare_with() -> None:
    assert figures.ratio(3, 4) == 0.75
    assert figures.ratio(3, 0) is None and figures.ratio(3, -1) is None


def test_none_always_follows_the_same_one() -> None:
    names = ["a", "b", "c", "d"]
    orders = [figures.turns(names, round_) for round_ in range(8)]
    assert all(sorted(order) == names for order in orders)
    assert all(Counter(order[i] for order in orders) == dict.fromkeys(names, 2) for i in range(4))
    before = Counter(pair for order in orders for pair in zip(order, order[1:]))
    assert before["a", "b"] == before["b", "a"] == 3


def test_what_perf_and_bpftrace_say() -> None:
    stats = "Aggregated stats:\n           TOTAL events:      40226\n          SAMPLE events:      40191  (99.9%)\n" \
        "exceptions:page_fault_user stats:\n          SAMPLE events:      40191\n"
    assert figures.perf_samples(stats) == 40191
    assert figures.perf_samples("") == 0
    said = "Attaching 1 probe...\n{\"copies\": 3}\n\n@[\n    f+9\n    0x5566]: not this\n]: 10007\n@[\n    g+1\n]: 58\n@[]: 5\n"
    assert figures.bpftrace_count(said) == 10070
    assert figures.bpftrace_lost("Lost 12 events\nlost 30 events\n") == 42


def test_what_perf_stat_says() -> None:
    assert figures.perf_stat_count("# started on\n\n1234,,instructions:u,99,100.00,,\n66,,instructions:k,99,100.00,,\n") == 1300
    assert figures.perf_stat_count("<not supported>,,instructions:u,0,100.00,,\n") is None


@pytest.mark.parametrize(("goal", "met", "text"), [
    (Goal("x", 0.4, 0.3, " s"), False, "NOT MET       x: 0.400 s (goal: at most 0.300 s)"),
    (Goal("x", 0.3, 0.3), True, "met           x: 0.300 (goal: at most 0.300)"),
    (Goal("x", 0.98, 0.97, " ×", True), True, "met           x: 0.980 × (goal: at least 0.970 ×)"),
    (Goal("x", 0.96, 0.97, " ×", True), False, "NOT MET       x: 0.960 × (goal: at least 0.970 ×)"),
    (Goal("x", 0.4, 0.3, empty=0.2), False, "NOT MET       x: 0.400 (goal: at most 0.300)"),
    (Goal("x", 0.4, 0.3, empty=0.31), False, "NOT MET       x: 0.400 (goal: at most 0.300, out of reach: 0.310 if nothing is done)"),
    (Goal("x", 0.3, 0.3, empty=0.31), True, "met           x: 0.300 (goal: at most 0.300)"),
    (Goal("x", None, 0.3, reason="no perf here"), None, "not measured  x: no perf here (goal: at most 0.300)"),
])
def test_a_goal_says_whether_it_is_met(goal: Goal, met: bool | None, text: str) -> None:
    assert goal.met is met and goal.row()["met"] is met
    assert str(goal) == text
    assert goal.out_of_reach is ("out of reach" in text)


def work_of(ns: dict[str, list[float]]) -> copies.Work:
    made = copies.Work("Python 10", "", [], [tools.Tool(name, "", lambda c, _: c, lambda *_: None) for name in ns])
    made.samples = {name: copies.Samples(values, [tools.Run({"copies": 5, "changed": 5}, lost=0)])
                    for name, values in ns.items()}
    made.samples["cowtrace"].check = tools.Run({}, counted=7, kernel=7)
    return made


def test_what_is_added_is_compared() -> None:
    work = work_of({"untraced": [1000, 1010, 990], "cowtrace": [1250, 1300, 1200], "perf": [2000, 2000, 2000],
                    "bpftrace": [1500, 1500, 1500], "empty": [1200, 1200, 1200]})
    row = copies.rows([work])[1]
    assert (row["added_ns"], row["of_untraced"], row["of_perf"], row["of_bpftrace"]) == (250, 1.25, 0.25, 0.5)
    goals = {goal.name: goal.met for goal in copies.goals(copies.rows([work]))}
    assert goals == {"Python 10: added, of what perf adds": True, "Python 10: a copying fault, of an untraced one": True,
                     "Python 10: added, of what bpftrace adds": False,
                     "copies counted otherwise than by the kernel itself": True, "copies lost": True}
    assert [goal.empty for goal in copies.goals(copies.rows([work]))] == [0.2, 1.2, 0.4, None, None]
    assert [goal.name for goal in copies.goals(copies.rows([work])) if goal.out_of_reach] == ["Python 10: added, of what bpftrace adds"]
    work.samples["cowtrace"].check = tools.Run({}, counted=7, kernel=8)
    assert False in {goal.met for goal in copies.goals(copies.rows([work])) if "otherwise" in goal.name}
    text = bench_table.copies(copies.rows([work]))
    assert text[2].split() == "cowtrace 1,250 1,225 to 1,275 +250 1.25 0.25 0.50 0".split()
    json.dumps(copies.rows([work]))


def test_the_readme_has_what_was_kept() -> None:
    """tests/bench/readme.py writes it."""
    found = readme.MARKS.search((ROOT / "README.md").read_text())
    assert found and found[0] == found[1] + readme.section() + found[2]


def test_a_table_for_the_readme() -> None:
    work = work_of({"untraced": [1000], "cowtrace": [1250]})
    assert readme.copies(copies.rows([work])).splitlines()[2:] == [
        "| Python 10 | untraced | 1,000 |  |  |  |  | 0 |", "|  | cowtrace | 1,250 | +250 | 1.25 |  |  | 0 |"]
    assert "| Python 10 | 7 | 7 |" in readme.counts(copies.rows([work]))
    row = {"part": "x", **Goal("a", 0.4, 0.3, " s").row()}
    assert "| a | 0.400 s | ≤ 0.300 s |  | **not met** |" in readme.goals([row])
    row = Goal("a", 0.4, 0.3, " s", empty=0.35).row()
    assert "| a | 0.400 s | ≤ 0.300 s | 0.350 s | **not met**, out of reach |" in readme.goals([row])


@pytest.mark.parametrize("witness", ["fexit", "kprobe", "tracepoints"])
def test_check_says_what_was_counted(witness: str) -> None:
    """What a witness costs everybody: tests/vm/instructions.txt, in per cents."""
    kernel, found = readme.counted()
    done = subprocess.run([tools.COWTRACE, "check", "--json", "-"], capture_output=True, text=True)
    cost = next(w["cost"] for w in json.loads(done.stdout)["witnesses"] if w["name"] == witness)
    said = re.search(r"first touch of a page takes (\d+) % more instructions, a copy (\d+) % \(counted on Linux (\S+)\)", cost)
    more = [100 * found[witness, what] / found["nothing", plain] - 100
            for what, plain in (("touch", "touch"), ("unwatched-copy", "copy"))]
    assert said and (list(map(int, said.groups()[:2])), said[3]) == ([round(m) for m in more], kernel), (cost, more)


def traced(piece: str, depth: int = 10) -> Run:
    python = pythons.need_any()
    return run_cowtrace(["--pieces", piece], [python, STORM, str(PAGES), str(depth), "1"])


@pytest.mark.parametrize("piece", ["empty", "witness"])
def test_pieces_that_send_nothing(piece: str) -> None:
    run = traced(piece)
    assert run.report["capture"]["copies"] == 0
    assert "switched off" in run.report["capture"]["witness_note"] and "switched off" in run.stderr


@pytest.mark.parametrize("piece", ["record", "evidence", "stack"])
def test_pieces_that_send(piece: str) -> None:
    """With all of them it is what it always is, and nothing is said."""
    run = traced(piece)
    assert run.truth[0]["changed"] == run.truth[0]["copies"] == PAGES
    assert PAGES <= run.report["capture"]["copies"] < PAGES * 2
    whole = piece == "stack"
    assert (run.report["capture"]["witness_note"] is None) == whole
    assert ("switched off" in run.stderr) != whole
    at_loop = sum(site["copies"] for site in run.report["sites"] if site["function"] == "loop")
    assert PAGES <= at_loop < PAGES + 9 if whole else at_loop == 0  # and its own few


@pytest.mark.parametrize("depth", [1, 2, 3, 10])
def test_the_storm_is_so_deep(depth: int) -> None:
    run = traced("stack", depth)
    (stack, size), = [(line.rpartition(" ")[0].split(";"), int(line.rpartition(" ")[2])) for line in run.folded
                      if int(line.rpartition(" ")[2]) == PAGES * 4096]
    assert len(stack) - 2 == depth, (stack, size)


def test_what_each_program_takes() -> None:
    rows, made = programs.profile("storm", [])
    assert made == programs.CHILDREN * 100003
    ran = [row for row in rows if row["runs_per_copy"] >= 1]
    assert ran and all(row["ns_per_run"] > 0 for row in ran)


def test_the_storm_in_c(tmp_path: Path) -> None:
    """As each tool is run: the numbers of the kernel beside those of cowtrace."""
    work = copies.Work("C storm", "", [target("storm"), str(PAGES), "1"],
                       [tools.UNTRACED, tools.whole(tools.witnesses()[0], True)])
    copies.measure([work], 1)
    row = copies.rows([work])[1]
    assert row["counted"] == row["kernel"] >= PAGES and row["lost"] == 0
