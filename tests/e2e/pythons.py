# SPDX-License-Identifier: MIT
"""Which CPythons this machine has: the system's, and those of a pyenv."""
from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import pytest

SUPPORTED = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
TOO_OLD = ("3.6", "3.7")
ROOT = Path(__file__).resolve().parents[2]


@functools.lru_cache(maxsize=None)
def _version(path: str) -> str | None:
    script = "import sys, sysconfig; print('%d.%d' % sys.version_info[:2], sys.implementation.name, " \
        "sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
    try:
        done = subprocess.run([path, "-c", script], capture_output=True, text=True, timeout=60)
    except OSError:
        return None
    match = re.fullmatch(r"(\d+\.\d+) cpython 0\s*", done.stdout)
    return match.group(1) if match else None


@functools.lru_cache(maxsize=None)
def find(version: str) -> str | None:
    """Path of a CPython of that minor version, with the GIL; the system's first."""
    places = [Path("/usr/bin") / f"python{version}", Path("/usr/local/bin") / f"python{version}"]
    places += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for place in places:
        if place.exists() and _version(str(place)) == version:
            return str(place.resolve())
    return None


def name_in_code(python: str, qualified: str) -> str:
    """How a function is called in its code object: co_qualname came with 3.11."""
    version = _version(python) or ""
    return qualified if int(version.partition(".")[2]) >= 11 else qualified.rpartition(".")[2]


def need(version: str) -> str:
    path = find(version)
    if path is None:
        pytest.skip(f"no CPython {version} on this machine")
    return path


def need_any() -> str:
    """The system's, or else the newest."""
    for version in (_version("/usr/bin/python3") or "none", *reversed(SUPPORTED)):
        path = find(version)
        if path is not None:
            return path
    pytest.fail(f"none of CPython {', '.join(SUPPORTED)} is on this machine")


def system() -> str:
    """/usr/bin/python3, which has the packages that apt installed."""
    path = str(Path("/usr/bin/python3").resolve())
    if _version(path) not in SUPPORTED:
        pytest.skip(f"/usr/bin/python3 is CPython {_version(path)}, not one of {SUPPORTED}")
    return path


@functools.lru_cache(maxsize=None)
def _tree(version: str) -> tuple[Path | None, str]:
    done = subprocess.run([str(ROOT / "scripts/fetch-python"), version, str(ROOT / "build/chroot")],
                          capture_output=True, text=True, timeout=600)
    if done.returncode == 3:
        return None, done.stderr.strip().splitlines()[-1]
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip().splitlines()[-1]), ""


def need_tree(version: str) -> Path:
    """A root file system with a CPython of that version and its libpython, from scripts/fetch-python."""
    tree, why = _tree(version)
    if tree is None:
        pytest.skip(why)
    return tree


def need_built(version: str) -> str:
    """Path of a CPython that scripts/build-python has made; that takes minutes, so tests do not start it."""
    home = ROOT / "build" / "chroot" / version
    if not (home / ".complete").exists():
        pytest.skip(f"no CPython {version} was built here (scripts/build-python {version} build/chroot)")
    (path,) = (p for p in home.glob("prefix/bin/python3.*") if re.fullmatch(r"python3\.\d+t?", p.name))
    return str(path)
