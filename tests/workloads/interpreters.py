# SPDX-License-Identifier: MIT
"""The CPythons that run the workloads, each with the modules that it has: Debian's, unpacked by
scripts/fetch-python and run in a root of their own; those of this machine for versions that no suite has."""
from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import cow  # noqa: E402,F401
import pythons  # noqa: E402

HERE = Path(__file__).resolve().parent
VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
DEBIAN = ("3.9", "3.11", "3.13", "3.14", "3.15")
MODULES = ("numpy", "pandas", "jinja2", "markupsafe", "flask", "gunicorn")
# What is pure Python, and so can be lent to a CPython that has no packages.
PURE = ("jinja2", "markupsafe", "flask", "werkzeug", "click", "itsdangerous", "blinker")
CHROOTS = ROOT / "build" / "chroot"


@dataclass
class Interpreter:
    """How to run a workload, or (missing) why not."""

    version: str
    command: list[str]
    place: Path  # the workloads' directory, as this machine sees it
    inside: str  # the same, as the interpreter sees it
    env: dict[str, str] = field(default_factory=dict)

    def argv(self, script: str, *args: str) -> list[str]:
        return [*self.command, f"{self.inside}/{script}", *args]

    def environment(self) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(("PYTHON", "COWTRACE", "MALLOC_", "LD_"))}
        # Bytecode is kept, as in an installed service, but apart from everything else.
        env.update(PYTHONHASHSEED="0", LC_ALL="C.UTF-8", PYTHONPYCACHEPREFIX=f"{self.inside}/pycache",
                   OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1")
        env.update(self.env)
        return env

    @functools.lru_cache(maxsize=None)  # noqa: B019
    def lacks(self, module: str) -> str | None:
        """None if the module can be imported, else why not."""
        done = subprocess.run([*self.command, "-c", f"import {module}"], env=self.environment(),
                              capture_output=True, text=True, timeout=120)
        return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2][:120]

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Missing(Exception):
    """There is no such interpreter here; the text says why."""


def _tree(version: str) -> Path:
    done = subprocess.run([str(ROOT / "scripts/fetch-python"), "--with", ",".join(MODULES), version, str(CHROOTS)],
                          capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise Missing(done.stderr.strip().rpartition("\n")[2])
    return Path(done.stdout.strip())


def _copy(where: Path) -> Path:
    """The workloads in a directory of their own, readable for all."""
    place = Path(tempfile.mkdtemp(prefix="cowtrace-workloads-", dir=where))
    place.chmod(0o755)
    for source in HERE.glob("*.py"):
        shutil.copy(source, place)
    return place


def _borrowed(place: Path) -> None:
    """Pure Python packages of a tree, else of the system, where no package is installed."""
    try:
        packages = _tree("3.11") / "usr/lib/python3/dist-packages"
    except Missing:
        packages = Path("/usr/lib/python3/dist-packages")
    for name in PURE:
        if (packages / name).is_dir():
            shutil.copytree(packages / name, place / "lent" / name, ignore=shutil.ignore_patterns("*.so", "*.pyc"))


def open_interpreter(version: str) -> Interpreter:
    """Raises Missing. close_interpreter() removes what it made."""
    if version in DEBIAN:
        try:
            tree = _tree(version)
        except Missing as why:
            if not pythons.find(version):
                raise
            print(f"workloads: {version}: {why}: taking this machine's", file=sys.stderr)
        else:
            place = _copy(tree / "tmp")
            return Interpreter(version, ["chroot", str(tree), f"/usr/bin/python{version}"], place,
                               f"/tmp/{place.name}")
    path = pythons.find(version)
    if not path:
        raise Missing(f"no CPython {version} on this machine, and Debian has none")
    place = _copy(Path(tempfile.gettempdir()))
    found = Interpreter(version, [path], place, str(place))
    if found.lacks("flask"):
        _borrowed(place)
        found.env["PYTHONPATH"] = str(place / "lent")
        found.lacks.cache_clear()
    return found


def system_interpreter() -> Interpreter:
    place = _copy(Path(tempfile.gettempdir()))
    return Interpreter("system", [pythons.system()], place, str(place))


def close_interpreter(interpreter: Interpreter) -> None:
    shutil.rmtree(interpreter.place, ignore_errors=True)
