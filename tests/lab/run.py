# SPDX-License-Identifier: MIT
"""The lab: every scenario of the article, and what it leaves out, under cowtrace. Called by scripts/lab."""
from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
from pathlib import Path

import chart
import experiment
import table
import verdict
from scenarios import SCENARIOS, Scenario

HERE = Path(__file__).resolve().parent
FULL, SMALL = 10_000_000, 300_000


def output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=experiment.ENVIRONMENT)
    return done.stdout.strip() or "?"


def machine() -> list[str]:
    """What it was measured on."""
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())
    memory = int(Path("/proc/meminfo").read_text().split()[1]) >> 20
    versions = output(experiment.PYTHON, "-c", "import sys, platform, importlib.metadata as m\n"
                      "names = ('gunicorn', 'flask', 'joblib', 'numpy', 'pandas')\n"
                      "def v(n):\n    try: return m.version(n)\n    except m.PackageNotFoundError: return 'none'\n"
                      "print('CPython', platform.python_version() + ',', ', '.join(n + ' ' + v(n) for n in names))")
    return [f"{os.cpu_count()} CPUs ({cpu}), {memory} GiB of memory, Linux {platform.release()}",
            f"{versions}; {output(str(experiment.COWTRACE), '--version').splitlines()[0]}",
            f"measured on {datetime.date.today().isoformat()}"]


def chosen(args: argparse.Namespace) -> list[Scenario]:
    return [s for s in SCENARIOS if (not args.small or s.small or args.all) and (not args.only or args.only in s.name)]


def counts(scenario: Scenario, small: bool) -> tuple[int, ...]:
    """The small form goes from one worker to three."""
    return (1, 3) if small and len(scenario.workers) > 1 else scenario.workers


def measure_all(args: argparse.Namespace, items: int) -> tuple[table.Results, list[str], list[str]]:
    results: table.Results = []
    left_out = ["Arrow: Debian 12 has no python3-pyarrow. A NumPy object array stands for arrays of references."]
    failed = []
    for scenario in chosen(args):
        why = experiment.missing(scenario)
        if why:
            left_out.append(f"{scenario.name}: {why}")
            failed.append(f"{scenario.name}: {why}")
            continue
        try:
            found = [experiment.run(scenario, n, items) for n in counts(scenario, args.small)]
        except (experiment.Failed, subprocess.SubprocessError, OSError) as error:
            failed.append(f"{scenario.name}: {error}")
            print(f"FAILED          {failed[-1]}", flush=True)
            continue
        results.append((scenario, found))
        v = verdict.judge(scenario, found)
        print(f"{'holds' if v.holds else 'does not hold':<15} {scenario.name}: {v.text} "
              f"({sum(r.seconds for r in found):.1f} s)", flush=True)
    return results, left_out, failed


def replace_part(path: Path, text: str) -> None:
    """What stands between the markers."""
    begin, end = "<!-- lab:begin -->\n", "<!-- lab:end -->\n"
    before, _, rest = path.read_text().partition(begin)
    _, _, after = rest.partition(end)
    path.write_text(before + begin + text + end + after)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help=f"{SMALL:,} items instead of {FULL:,}, and fewer scenarios")
    parser.add_argument("--all", action="store_true", help="all scenarios in the small form, too")
    parser.add_argument("--items", type=int, help="another number of items")
    parser.add_argument("--only", help="the scenarios with this in their name")
    parser.add_argument("--out", type=Path, default=HERE.parents[1] / "build" / "lab", help="where lab.html goes")
    parser.add_argument("--record", action="store_true", help="write tests/lab/RESULTS.md and the table of README.md")
    args = parser.parse_args()
    items = args.items or (SMALL if args.small else FULL)
    results, left_out, failed = measure_all(args, items)
    about = machine()
    args.out.mkdir(parents=True, exist_ok=True)
    text = table.page(results, items, about, left_out)
    (args.out / "RESULTS.md").write_text(text)
    (args.out / "lab.html").write_text(chart.page(results, items, about, left_out))
    if args.record:
        (HERE / "RESULTS.md").write_text(text)
        replace_part(HERE.parents[1] / "README.md", table.summary(results))
    print(f"table: {args.out / 'RESULTS.md'}\npage:  {args.out / 'lab.html'}")
    for line in failed:
        print(f"failed: {line}", file=sys.stderr)
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
