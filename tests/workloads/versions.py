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

import cow  # noqa: E402,F401 (measure.py takes it from here)
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
        if done.returncode == 0:
            return None
        return f"{' '.join(self.command)}: {done.stderr.strip().rpartition(chr(10))[2][:120]}"

    __hash__ = object.__hash__
    __eq__ = object.__eq__


class Missing(Exception):
    """There is no such interpreter here; the text says why."""


def _tree(version: str, modules: tuple[str, ...] = MODULES) -> Path:
    asked = ["--with", ",".join(modules)] if modules else []
    done = subprocess.run([str(ROOT / "scripts/fetch-python"), *asked, version, str(CHROOTS)],
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


def _inside(tree: Path, version: str) -> Interpreter:
    place = _copy(tree / "tmp")
    return Interpreter(version, ["chroot", str(tree), f"/usr/bin/python{version}"], place, f"/tmp/{place.name}")


def open_plain(version: str) -> Interpreter:
    """One that needs no modules: this machine's, else Debian's. Raises Missing."""
    path = pythons.find(version)
    if path:
        return of_this_machine(path, version)
    if version not in DEBIAN:
        raise Missing(f"no CPython {version} on this machine")
    return _inside(_tree(version, ()), version)


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
            return _inside(tree, version)
    path = pythons.find(version)
    if not path:
        raise Missing(f"no CPython {version} on this machine, and Debian has none")
    found = of_this_machine(path, version)
    if found.lacks("flask"):
        _borrowed(found.place)
        found.env["PYTHONPATH"] = str(found.place / "lent")
        found.lacks.cache_clear()
    return found


def of_this_machine(path: str, name: str) -> Interpreter:
    place = _copy(Path(tempfile.gettempdir()))
    return Interpreter(name, [path], place, str(place))


def close_interpreter(interpreter: Interpreter) -> None:
    shutil.rmtree(interpreter.place, ignore_errors=True)
