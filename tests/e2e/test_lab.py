# SPDX-License-Identifier: MIT
"""The lab in its small form: the claims of the article, measured (scripts/lab)."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from cow import ROOT

sys.path.insert(0, str(ROOT / "tests" / "lab"))

import chart  # noqa: E402
import experiment  # noqa: E402
import run as lab  # noqa: E402
import table  # noqa: E402
import verdict  # noqa: E402
from scenarios import SCENARIOS, Scenario  # noqa: E402

SMALL = [s for s in SCENARIOS if s.small]
# What the numbers are to say: the rest of what is measured here holds.
REFUTED = {"joblib list, read"}


@pytest.fixture(scope="module")
def results() -> Iterator[table.Results]:
    """Each once; the tests look at them."""
    measured: table.Results = []
    for scenario in SMALL:
        assert experiment.missing(scenario) is None, experiment.missing(scenario)
        measured.append((scenario, [experiment.run(scenario, n, lab.SMALL) for n in lab.counts(scenario, True)]))
    yield measured


def find(results: table.Results, name: str) -> tuple[Scenario, list[experiment.Result]]:
    return next((s, rs) for s, rs in results if s.name == name)


@pytest.mark.parametrize("name", [s.name for s in SMALL])
def test_claim(results: table.Results, name: str) -> None:
    scenario, found = find(results, name)
    judged = verdict.judge(scenario, found)
    assert judged.holds == (name not in REFUTED), judged.text
    assert all(r.lost == 0 for r in found)


def test_a_list_from_joblib_is_a_list(results: table.Results) -> None:
    """The claim of the article that is wrong: it copies like any other list, at the line that reads it."""
    (listed,), (loaded,) = ([r for r in find(results, name)[1] if r.workers == 3]
                            for name in ("preload, read", "joblib list, read"))
    assert verdict.growth(loaded) > 0.9 * verdict.growth(listed)
    for result in (listed, loaded):
        assert result.cause == "refcount int" and "read_numbers" in result.site
        assert "numbers-in-container" in dict(result.advice)


def test_what_became_private_was_copied(results: table.Results) -> None:
    """The kernel's private memory of a worker, and the copies that cowtrace has counted."""
    result = next(r for r in find(results, "preload, read")[1] if r.workers == 3)
    assert abs(result.copied - result.after.private) < 0.1 * result.after.private


class Wellformed(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.charts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.charts += tag == "svg"
        assert not any(value and "//" in value for name, value in attrs if name in ("src", "href")), attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_table_and_page(results: table.Results) -> None:
    page = Wellformed()
    page.feed(chart.page(results, lab.SMALL, ["a <machine>"], []))
    assert page.open == [] and page.charts == len(SMALL) + 1
    text = table.page(results, lab.SMALL, ["a machine"], ["something"])
    assert all(f"| {table.cell(s.name)} |" in text for s in SMALL)
    assert len({line.count(" | ") for line in text.splitlines() if line.startswith("| ") and "holds" in line}) == 1
