# SPDX-License-Identifier: MIT
"""The disk of the guests: an ext4 file system with busybox, a Python, cowtrace and the programs that it traces.
Python and busybox are those of this machine, for arm64 those that scripts/fetch-sysroot has unpacked."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from expected import ARM64

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FETCHED = ROOT / "build/guest-aarch64"
SYSROOT = ROOT / "build/sysroot-aarch64"
BUILD = Path(os.environ.get("B", ROOT / "build/aarch64" if ARM64 else ROOT / "build"))
SIZE = "300M"
# What no test imports, and is large.
NOT_NEEDED = ("test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3", "pydoc_data", "config-*", "__pycache__",
              "lib-dynload")


def python() -> Path:
    """The system's own: its version is in its name, and it is no link into somebody's home."""
    if ARM64:
        return next(p for p in Path("/usr/bin").glob("python3.*") if (FETCHED / p.relative_to("/")).exists())
    return Path(os.path.realpath("/usr/bin/python3"))


def libraries(files: Iterable[Path]) -> set[Path]:
    """And capstone, which cowtrace loads itself (user/base/capstone.c)."""
    done = subprocess.run(["ldd", *map(str, files)], capture_output=True, text=True, check=False)
    found = {Path(x) for x in re.findall(r"^[^/\n]*(/\S+) \(0x", done.stdout, re.MULTILINE)}
    return found | {p for d in {p.parent for p in found} for p in d.glob("libcapstone.so.[0-9]")}


def put(tree: Path, files: Iterable[Path]) -> None:
    """Copies files and the libraries that they need into the tree, at their own paths."""
    files = list(files)
    for file in {*files, *libraries(files)}:
        to = tree / file.relative_to("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to)


def put_fetched(tree: Path) -> None:
    """All that was unpacked, but for what programs do without."""
    shutil.copytree(FETCHED / "usr", tree / "usr", symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("share", *(set(NOT_NEEDED) - {"lib-dynload"})))


def put_applets(tree: Path) -> None:
    done = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    for applet in set(done.stdout.split()) - {"busybox"}:
        if not (tree / "usr/bin" / applet).is_symlink():
            (tree / "usr/bin" / applet).unlink(missing_ok=True)
            (tree / "usr/bin" / applet).symlink_to("busybox")


def put_busybox(tree: Path) -> None:
    shutil.copy(shutil.which("busybox") or "/bin/busybox", tree / "usr/bin/busybox")
    put_applets(tree)


def put_python(tree: Path) -> None:
    library = Path("/usr/lib", python().name)
    put(tree, [python(), *(library / "lib-dynload").glob("*.so")])
    shutil.copytree(library, tree / library.relative_to("/"), symlinks=True, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(*NOT_NEEDED))
    # No compiled files come along: theirs may be older than the sources that were copied.
    subprocess.run([python(), "-m", "compileall", "-q", "-j0", "-s", tree, tree / library.relative_to("/")],
                   check=False, stdout=subprocess.DEVNULL)


def compiler() -> list[str | Path]:
    if not ARM64:
        return [os.environ.get("CC", "cc")]
    gcc = next((SYSROOT / "usr/lib/gcc/aarch64-linux-gnu").iterdir())
    return [os.environ.get("CLANG", "clang"), "--target=aarch64-linux-gnu", f"--sysroot={SYSROOT}", "-fuse-ld=lld",
            f"-B{gcc}", f"-L{gcc}"]


def compile_helpers(to: Path) -> None:
    for source in HERE.glob("*.c"):
        if ARM64 and source.stem == "ticks":  # of x86-64
            continue
        subprocess.run([*compiler(), "-O2", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                        f"-I{ROOT / 'tests/targets'}", "-o", to / source.stem, source], check=True)


def make(work: Path, batches: dict[str, str], init: str = "init", add: Callable[[Path], None] = lambda tree: None) -> Path:
    """batches: name, lines of `batch`. init: one of those beside this file. add: changes the tree, in the end. Returns
    the image."""
    tree, image = work / "tree", work / "root.img"
    for name in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc", "sys", "dev", "run", "tmp", "var/tmp", "out",
                 "guest/targets", "guest/py", "guest/batches"):
        (tree / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (tree / name).symlink_to(f"usr/{name}")
    if ARM64:
        put_fetched(tree)
        put_applets(tree)
    else:
        put_busybox(tree)
        put_python(tree)
        put(tree, libraries([BUILD / "cowtrace"]))
    compile_helpers(tree / "usr/bin")
    shutil.copy(BUILD / "cowtrace", tree / "guest/cowtrace")
    for program in (BUILD / "targets").iterdir():
        if program.is_file() and os.access(program, os.X_OK):
            shutil.copy(program, tree / "guest/targets")
    for script in (ROOT / "tests/targets").glob("*.py"):
        shutil.copy(script, tree / "guest/py")
    for script in ("storm.py", "heap.py"):
        shutil.copy(ROOT / "tests/bench" / script, tree / "guest/py")
    for name, lines in batches.items():
        (tree / "guest/batches" / name).write_text(lines)
    shutil.copy(HERE / init, tree / "init")
    add(tree)
    with open(image, "wb"):
        subprocess.run(["truncate", "-s", SIZE, image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-d", tree, image], check=True)
    return image
