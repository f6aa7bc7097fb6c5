# SPDX-License-Identifier: MIT
"""The CPythons of the matrix: those of Debian's suites, each in a root of its own, those that are built, and
those that this machine has."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import pythons  # noqa: E402

PLACE = ROOT / "build" / "chroot"

FETCHED = ["3.9", "3.9-dbg", "3.11", "3.11-dbg", "3.13", "3.13-dbg", "3.14", "3.15", "3.15-dbg"]
LOCAL = ["3.8", "3.10", "3.12"]
JIT = ["3.14-jit", "3.15-jit"]  # the same as 3.14 and 3.15, with the JIT switched on
BUILT = ["3.13t", "3.14t", "3.15t", "3.13-musl"]
BUILT_BY_DEFAULT = ["3.13t"]  # each takes minutes
ALL = sorted(FETCHED + LOCAL + JIT + BUILT, key=lambda s: (int(s[2:].split("-")[0].rstrip("t")), s))

# In a mount namespace of its own: the tree's own /proc, and this repository below its /mnt.
ENTER = """
mount --make-rprivate / 2>/dev/null || true
tree=$1 && shift
mount -t proc proc "$tree/proc" && mount --bind "$ROOT" "$tree/mnt" && exec chroot "$tree" "$@"
"""

ASK = """
import importlib.util, json, platform, sys
print(json.dumps({
    "version": sys.version_info[:3], "full": platform.python_version(),
    "free_threaded": "t" in getattr(sys, "abiflags", ""), "debug": hasattr(sys, "gettotalrefcount"),
    "ctypes": importlib.util.find_spec("_ctypes") is not None,
    "libc": "glibc" if platform.libc_ver()[0] == "glibc" else "musl"}))
"""


class Missing(Exception):
    """Not to be had here; the reason."""


class Broken(Exception):
    """To be had here, but it failed; how."""


@dataclass(frozen=True)
class Interpreter:
    label: str
    python: str
    tree: str = ""  # its root, "" for this machine's
    env: dict[str, str] = field(default_factory=dict)
    version: tuple[int, ...] = ()
    full: str = ""
    free_threaded: bool = False
    debug: bool = False
    ctypes: bool = True
    libc: str = "glibc"

    def path(self, inside: str) -> str:
        """A file of this repository, as the interpreter sees it."""
        return f"/mnt/{inside}" if self.tree else str(ROOT / inside)

    def command(self, *args: str) -> list[str]:
        if not self.tree:
            return [self.python, *args]
        return ["unshare", "--mount", "--propagation", "unchanged", "env", f"ROOT={ROOT}", "sh", "-c", ENTER,
                "sh", self.tree, self.python, *args]


def _script(name: str, version: str) -> str:
    done = subprocess.run([str(ROOT / "scripts" / name), version, str(PLACE)], capture_output=True, text=True,
                          timeout=1500)
    if done.returncode == 3:
        raise Missing(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise Broken(f"{name} {version}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")
    return done.stdout.strip().splitlines()[-1]


def _built(label: str) -> str:
    wanted = os.environ.get("CT_PYTHONS_BUILD", "")
    ready = (PLACE / label / ".complete").exists()
    if not ready and wanted != "all" and label not in (*wanted.split(","), *BUILT_BY_DEFAULT):
        raise Missing(f"{label} is not built by default (CT_PYTHONS_BUILD=all)")
    return _script("build-python", label)


def _locate(label: str) -> Interpreter:
    version = label.removesuffix("-jit")
    if version in FETCHED:
        tree = _script("fetch-python", version)
        os.makedirs(f"{tree}/mnt", exist_ok=True)
        env = {"PYTHON_JIT": "1"} if label in JIT else {}
        return Interpreter(label, f"/usr/bin/python{version}", tree, env)
    if label in BUILT:
        return Interpreter(label, _built(label))
    path = pythons.find(label)
    if path is None:
        raise Missing(f"no CPython {label} on this machine")
    return Interpreter(label, path)


def get(label: str) -> Interpreter | Missing | Broken:
    """The interpreter of that label, and what it says of itself; or why it can not be had."""
    try:
        found = _locate(label)
    except (Missing, Broken) as reason:
        return reason
    done = subprocess.run(found.command("-c", ASK), capture_output=True, text=True, timeout=60)
    if done.returncode:
        return Broken(f"{found.python} does not run: {(done.stderr.strip().splitlines() or [''])[-1]}")
    facts = json.loads(done.stdout)
    facts["version"] = tuple(facts["version"])
    return Interpreter(found.label, found.python, found.tree, found.env, **facts)


def get_all(labels: list[str]) -> dict[str, Interpreter | Missing | Broken]:
    """All of them; what has to be fetched or built is, four at a time."""
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(labels, pool.map(get, labels)))
