# SPDX-License-Identifier: MIT
"""One guest: boots a kernel with a copy of the image, waits for its end, takes out what it left.

A boot that dies or hangs before the first line of the init is tried again (multi-threaded emulation loses a few
per cent of them). After that line only what the emulator itself did not survive is: its status says so, or it ended
and the kernel said nothing of why, or an int3 was met that the kernel has taken out of its text again. Each such
end is said."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from expected import ARM64, Kernel

BOOT_SECONDS = 150
BOOT_TRIES = 3
RUN_TRIES = 4
# For what hangs; two guests on two busy cores must be done long before.
RUN_SECONDS = int(os.environ.get("RUN_SECONDS", "900"))
OFF_SECONDS = 20
# What the kernel says before it ends otherwise than by poweroff.
FATAL = re.compile(r"Kernel panic|BUG:|Oops|general protection|Call Trace|RIP:|unable to handle|Internal error|reboot:")
# Where the kernel patches its text (the key of a tracepoint, each time the first program is attached), a CPU that is
# emulated by a thread of its own seems to keep a translation of what stood there in between: seen on 6.18 in two whole
# tests of two, once in exc_page_fault, once in __alloc_frozen_pages_noprof. Real CPUs are made to forget (text_poke_sync).
STALE_TEXT = re.compile(r"\bint3: 0000 \[#1\]")
LAST_LINES = 60


QEMU = "qemu-system-aarch64" if ARM64 else "qemu-system-x86_64"


# Both CPUs at once; and one, whose clock is the number of instructions that it has executed, and does not wait for
# anybody's sleep.
BOTH_CPUS = ["-accel", "tcg,thread=multi", "-smp", "2"]
COUNTING = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"]


def arguments(kernel: Kernel, vmlinuz: Path, image: Path, env: dict[str, str], cpus: list[str]) -> list[str]:
    console = ["console=ttyAMA0"] if ARM64 else ["console=ttyS0", "tsc=reliable"]
    words = [*console, "quiet", "panic=-1", "root=/dev/nvme0n1", "rootfstype=ext4", "rw",
             "init=/init", kernel.append, os.environ.get("APPEND", ""), *(f"{k}={v}" for k, v in env.items())]
    return [QEMU, *(["-M", "virt"] if ARM64 else []), *cpus, "-cpu", kernel.cpu, "-m", "2G",
            "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-kernel", str(vmlinuz),
            "-drive", f"file={image},if=none,id=d0,format=raw,cache=unsafe", "-device", "nvme,drive=d0,serial=x",
            "-append", " ".join(w for w in words if w)]


def ended(pid: int) -> bool:
    """Leaves it to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


class Guest:
    """Leaves `console` and `out/` in place, where the kernel is."""

    def __init__(self, kernel: Kernel, image: Path, place: Path, env: dict[str, str],
                 cpus: list[str] | None = None):
        self.kernel, self.image, self.place, self.env = kernel, image, place, env
        self.disk = image.with_name(f"{kernel.name}.img")
        self.console = place / "console"
        self.cpus = cpus or BOTH_CPUS
        self.seconds = self.cpu_seconds = 0.0
        self.status: int | None = None  # of qemu, if it ended by itself

    def lines(self) -> list[str]:
        return self.console.read_text(errors="replace").splitlines()

    def said(self, words: str) -> bool:
        return any(line.startswith(words) for line in self.lines())

    def last(self) -> str:
        said = [x for x in self.lines() if x.startswith("vm:")]
        return said[-1] if said else "nothing"

    def ended_how(self) -> str:
        """What is known of an end that should not have been."""
        how = "hung" if self.status is None else f"ended, qemu with status {self.status},"
        tail = "".join(f"\n# | {line}" for line in self.lines()[-LAST_LINES:])
        return f"the guest {how} after: {self.last()}; its console:{tail}"

    def emulator_died(self) -> bool:
        if any(map(STALE_TEXT.search, self.lines())):
            return True
        return bool(self.status) or (self.status == 0 and not any(map(FATAL.search, self.lines())))

    def wait(self, qemu: subprocess.Popen[bytes], words: str, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not ended(qemu.pid):
            if self.said(words):
                return True
            time.sleep(0.2)
        return self.said(words)

    def attempt(self) -> bool:
        """False: died before the init."""
        subprocess.run(["cp", "--sparse=always", self.image, self.disk], check=True)
        with open(self.console, "wb") as console:
            qemu = subprocess.Popen(arguments(self.kernel, self.place / "vmlinuz", self.disk, self.env,
                                              self.cpus),
                                    stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
        start = time.monotonic()
        try:
            if not self.wait(qemu, "vm: up", BOOT_SECONDS):
                return False
            if self.wait(qemu, "vm: done", RUN_SECONDS):
                self.wait(qemu, "no such line", OFF_SECONDS)
            return True
        finally:
            by_itself = ended(qemu.pid)
            os.kill(qemu.pid, signal.SIGKILL)  # qemu.kill() would wait for it, if it has ended
            _, status, usage = os.wait4(qemu.pid, 0)
            self.status = os.waitstatus_to_exitcode(status) if by_itself else None
            qemu.returncode = 0  # it has been waited for
            self.cpu_seconds = usage.ru_utime + usage.ru_stime
            self.seconds = time.monotonic() - start

    def boot(self) -> None:
        for n in range(1, BOOT_TRIES + 1):
            if self.attempt():
                break
            print(f"{self.kernel.name}: boot {n} of {BOOT_TRIES} died before the init", file=sys.stderr)

    def run(self) -> str:
        """Empty, or what went wrong."""
        shutil.rmtree(self.place / "out", ignore_errors=True)
        self.boot()
        for _ in range(RUN_TRIES - 1):
            if self.said("vm: done") or not self.emulator_died():
                break
            print(f"{self.kernel.name}: once more: {self.ended_how()}", file=sys.stderr)
            self.boot()
        subprocess.run(["debugfs", "-R", f"rdump /out {self.place}", self.disk], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.disk.unlink()
        return "" if self.said("vm: done") else self.ended_how()
