# SPDX-License-Identifier: MIT
"""What other programs read: pprof, speedscope and the flame graph of real runs, next to the JSON of the same run."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cow import COWTRACE, Report, run_cowtrace, target

SVG = "{http://www.w3.org/2000/svg}"
LABELS = {"command", "cause", "type", "certainty", "origin"}


class Exports:
    """One run with all outputs."""

    def __init__(self, place: Path, command: list[str], env: dict[str, str] | None = None):
        self.svg, self.pprof, self.speedscope = place / "c.svg", place / "c.pb.gz", place / "c.json"
        options = ["--flamegraph", str(self.svg), "--pprof", str(self.pprof), "--speedscope", str(self.speedscope)]
        self.run = run_cowtrace(options, command, env=env)
        self.report: Report = self.run.report

    def profiles(self) -> list[Report]:
        return json.loads(self.speedscope.read_bytes().decode("utf-8"))["profiles"]

    def frames(self) -> list[ElementTree.Element]:
        """Of the flame graph; it has to be well-formed."""
        return [e for e in ElementTree.parse(self.svg).iter(SVG + "svg") if "ct-f" in e.get("class", "").split()]

    def go_pprof(self, *args: str) -> str:
        done = subprocess.run(["go", "tool", "pprof", *args, str(self.pprof)], capture_output=True, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode("utf-8")


class Sample:
    """One of pprof -raw: the values, the locations (leaf first), the labels."""

    def __init__(self, copies: int, copied: int, locations: list[int]):
        self.copies, self.copied, self.locations = copies, copied, locations
        self.labels: dict[str, str] = {}


def parse_raw(text: str) -> tuple[list[str], list[Sample], dict[int, str]]:
    """The sample types, the samples, and what each location is: "function file:line"."""
    head, rest = text.split("\nSamples:\n")
    body, places = rest.split("\nLocations\n")
    types, *lines = body.splitlines()
    samples: list[Sample] = []
    for line in lines:
        if match := re.fullmatch(r" +(\d+) +(\d+): ([\d ]+) *", line):
            samples.append(Sample(int(match[1]), int(match[2]), [int(n) for n in match[3].split()]))
        else:
            for key, value in re.findall(r"(\w+):\[(.*?)\](?= |$)", line):
                samples[-1].labels[key] = value
    locations = {}
    for line in places.split("\nMappings\n")[0].splitlines():
        # "function file:line s=0()"; since Go 1.22 with a column behind the line
        if match := re.fullmatch(r" +(\d+): 0x0 M=1 (.*?:\d+)(?::0)? s=0 ?(?:\(\))?", line):
            locations[int(match[1])] = match[2]
    assert "Time: 20" in head and "Duration: " in head
    return types.split(), samples, locations


@pytest.fixture(scope="module")
def preload(any_python: str, tmp_path_factory: pytest.TempPathFactory) -> Exports:
    return Exports(tmp_path_factory.mktemp("exports"), [any_python, target("preload.py"), "200003"])


def test_pprof_raw_has_the_samples_of_the_report(preload: Exports) -> None:
    types, samples, _ = parse_raw(preload.go_pprof("-raw"))
    assert types == ["copies/count", "copied/bytes[dflt]"]
    capture = preload.report["capture"]
    assert sum(s.copies for s in samples) == capture["copies"]
    assert sum(s.copied for s in samples) == capture["copied_bytes"]
    by_pid: dict[int, int] = {}
    for sample in samples:
        pid = int(sample.labels["pid"].split()[0].removesuffix("pid"))
        by_pid[pid] = by_pid.get(pid, 0) + sample.copies
        assert set(sample.labels) - {"type"} == (LABELS - {"type"}) | {"pid"}, sample.labels
    assert by_pid == {p["pid"]: p["copies"] for p in preload.report["processes"] if p["copies"]}


@pytest.mark.parametrize("key", ["cause", "certainty", "origin"])
def test_pprof_labels_tell_copies_apart(preload: Exports, key: str) -> None:
    def summed(pairs: list[tuple[str, int]]) -> dict[str, int]:
        result: dict[str, int] = {}
        for name, copies in pairs:
            result[name] = result.get(name, 0) + copies
        return result

    samples = parse_raw(preload.go_pprof("-raw"))[1]
    assert (summed([(s.labels[key], s.copies) for s in samples])
            == summed([(row[key], row["copies"]) for row in preload.report["causes"]]))


def test_pprof_types_are_those_of_the_report(preload: Exports) -> None:
    samples = parse_raw(preload.go_pprof("-raw"))[1]
    ints = [s.copies for s in samples if s.labels.get("type") == "int" and s.labels["cause"] == "refcount"]
    assert sum(ints) == sum(t["copies"] for t in preload.report["types"]
                            if (t["type"], t["cause"]) == ("int", "refcount")) > 0


def test_pprof_leaf_is_the_line_or_the_native_function(preload: Exports) -> None:
    """Each site of the report has its copies at the first location of the samples."""
    _, samples, locations = parse_raw(preload.go_pprof("-raw"))
    found: dict[str, int] = {}
    for sample in samples:
        leaf = locations[sample.locations[0]]
        found[leaf] = found.get(leaf, 0) + sample.copies
    want: dict[str, int] = {}
    for site in preload.report["sites"]:
        name = f"{site['function']} {site['file'] or ''}:{site['line']}"
        want[name] = want.get(name, 0) + site["copies"]
    assert found == want


def test_pprof_top_names_the_loop(preload: Exports) -> None:
    top = preload.go_pprof("-top", "-unit=B")
    total = re.search(r"Total samples = (\d+)B", top)
    assert total and int(total[1]) == preload.report["capture"]["copied_bytes"], top
    first = top[top.index("flat%"):].splitlines()[1].split()
    assert first[-1] == "BigApp.total"
    want = sum(s["copied_bytes"] for s in preload.report["sites"] if s["function"] == "BigApp.total")
    assert int(first[0].removesuffix("B")) == want
    assert "<module>" in top, "a name in angle brackets is no template of C++"


def test_speedscope_has_a_profile_for_each_process(preload: Exports) -> None:
    profiles = {int(p["name"].rsplit("[", 1)[1].rstrip("]")): p for p in preload.profiles()}
    want = {p["pid"]: p["copied_bytes"] for p in preload.report["processes"] if p["copies"]}
    assert {pid: sum(p["weights"]) for pid, p in profiles.items()} == want
    assert all(p["unit"] == "bytes" and p["endValue"] == sum(p["weights"]) for p in profiles.values())


def test_flame_graph_has_the_bytes_of_the_report(preload: Exports) -> None:
    frames = preload.frames()
    assert int(frames[0].get("data-b", "")) == preload.report["capture"]["copied_bytes"]
    for kind, rows in (("process", [p["copied_bytes"] for p in preload.report["processes"] if p["copies"]]),
                       ("cause", None)):
        sizes = [int(f.get("data-b", "")) for f in frames if "ct-" + kind in f.get("class", "").split()]
        assert sum(sizes) == preload.report["capture"]["copied_bytes"]
        assert rows is None or sorted(sizes) == sorted(rows)
    titles = [f.findtext(SVG + "title") or "" for f in frames]
    assert any(re.match(r"BigApp\.total\n.*/preload\.py:\d+\n[\d.,]+ MiB, ", t) for t in titles)


def test_flame_graph_needs_nothing_from_elsewhere(preload: Exports) -> None:
    text = re.sub(r'xmlns="[^"]*"', "", preload.svg.read_text())
    text = text.replace("'http://www.w3.org/2000/svg'", "").replace("'http://www.w3.org/1999/xhtml'", "")
    assert not re.search(r"https?:|url\(|@import|href=", text)


def test_hostile_names_leave_every_file_valid(any_python: str, tmp_path: Path) -> None:
    exports = Exports(tmp_path, [any_python, target("hostile.py")])
    raw = exports.go_pprof("-raw")
    texts = [raw, json.dumps(exports.profiles()), "\n".join("".join(f.itertext()) for f in exports.frames())]
    for text in texts:
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", text)
    names = json.loads(exports.speedscope.read_bytes())["shared"]["frames"]
    functions = {f["name"] for f in names}
    for name in ("<script>&amp;</script>", "\\x1b[31mred\\x1b]0;title\\x07", "\\u{202e}gnp.exe\\u{2066}\\u{200b}",
                 "two\\x0alines\\x0d\\x0athree", "a;b;c 12345"):
        assert name in functions, sorted(functions)
        assert any(name in "".join(f.itertext()) for f in exports.frames()), name
        assert name in raw, name
    assert sum(sum(p["weights"]) for p in exports.profiles()) == exports.report["capture"]["copied_bytes"]


def test_standard_output_takes_each_of_them(any_python: str) -> None:
    for option, begin in (("--pprof", b"\x1f\x8b"), ("--speedscope", b'{"$schema"'), ("--flamegraph", b"<svg ")):
        done = subprocess.run([COWTRACE, "run", "-q", option, "-", "--", "true"], capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(begin), option
