# SPDX-License-Identifier: MIT
"""What tests/targets/refcount23.py must give, wherever and however it runs."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from cow import Report, Run, assert_closed, at_line, run_cowtrace, show_sites, target

COUNTS = {"bytes": 23, "str": 19, "int": 17, "tuple": 13, "Payload": 11}
SCRIPT = target("refcount23.py")


def assert_lines(report: Report, times: int = 1) -> None:
    """Copies at its lines, by cause and type; times: how often it ran."""
    for kind, count in COUNTS.items():
        assert at_line(report, SCRIPT, kind, cause="refcount", type=kind) == times * count, (
            f"{kind}\n{show_sites(report)}"
        )
    assert at_line(report, SCRIPT, "dec", cause="refcount", type="bytes") == times * 29, show_sites(report)
    assert_closed(report)


def assert_truth(run: Run, times: int = 1) -> None:
    assert len(run.truth) == times, run.stderr
    for truth in run.truth:
        assert truth["changed"] == truth["expected"] == {**COUNTS, "dec": 29}, "the workload itself is wrong"


def assert_exact(run: Run, times: int = 1) -> None:
    assert_truth(run, times)
    assert_lines(run.report, times)


def in_namespaces(script: str, *args: object, unshare: tuple[str, ...] = (),
                  env: dict[str, str] | None = None) -> Run:
    """script, in a mount namespace of its own (and others): nothing that it mounts gets out."""
    # Where / is no mount point (in a chroot), what it mounts is its own already.
    quiet = "mount --make-rprivate / 2>/dev/null || true\n"
    return run_cowtrace([], ["unshare", "--mount", "--propagation", "unchanged", *unshare,
                             "sh", "-ec", quiet + script, "sh", *map(str, args)], env=env)


def put(tree: Path, *files: str) -> Path:
    """A directory below /tmp of a tree, which other tests use at the same time, with copies of files.
    Returns its path in the tree."""
    place = tree / "tmp" / f"test-{os.getpid()}"
    place.mkdir(exist_ok=True)
    for file in files:
        shutil.copy(file, place)
    return Path("/", *place.relative_to(tree).parts)
