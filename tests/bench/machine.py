# SPDX-License-Identifier: MIT
"""On what it was measured: a number without that says little."""
from __future__ import annotations

import contextlib
import datetime
import os
import platform
import subprocess
from pathlib import Path

import tools


def said(*command: str | Path) -> str:
    """The first line that a program prints, "" if it is not there."""
    with contextlib.suppress(OSError):
        done = subprocess.run(command, capture_output=True, text=True)
        lines = (done.stdout or done.stderr).strip().splitlines()
        return lines[0] if lines and not done.returncode else ""
    return ""


def of_file(path: str, key: str) -> str:
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def describe(python: str) -> dict[str, str]:
    commit = said("git", "-C", tools.ROOT, "-c", f"safe.directory={tools.ROOT}", "describe", "--always", "--dirty",
                  "--abbrev=12")
    return {
        "machine": f"{os.cpu_count()} CPUs ({of_file('/proc/cpuinfo', 'model name') or platform.machine()}), "
                   f"{int(of_file('/proc/meminfo', 'MemTotal').split()[0]) >> 20} GiB",
        "kernel": f"Linux {platform.release()}",
        "cowtrace": f"{said(tools.COWTRACE, '--version')}, commit {commit or 'not known'}",
        "python": said(python, "-c", "import platform; print('CPython', platform.python_version())"),
        "perf": said(tools.PERF, "--version") if tools.PERF else "",
        "bpftrace": said(tools.BPFTRACE, "--version") if tools.BPFTRACE else "",
        "date": datetime.date.today().isoformat(),
    }
