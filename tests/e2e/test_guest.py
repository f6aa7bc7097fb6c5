# SPDX-License-Identifier: MIT
"""Which guests of tests/vm are booted once more: those that the emulator did not survive, and no others."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cow import ROOT

sys.path.append(str(ROOT / "tests" / "vm"))

from expected import kernels  # noqa: E402
from guest import Guest  # noqa: E402

UP = "vm: up 6.12\nvm: kprobe killed\n"


@pytest.mark.parametrize(("console", "status", "died"), [
    (UP, 0, True),  # it has reset itself
    (UP, -9, True),
    (UP, None, False),  # it hung
    (UP + "[  1.0] Oops: int3: 0000 [#1] SMP NOPTI\n[  1.1] Kernel panic - not syncing: Fatal exception\n", 0, True),
    (UP + "[  1.0] Kernel panic - not syncing: sysrq triggered crash\n", 0, False),
    (UP + "[  1.0] BUG: unable to handle page fault for address: 0\n[  1.1] RIP: 0010:do_wp_page\n", 0, False),
])
def test_what_the_emulator_did_not_survive(tmp_path: Path, console: str, status: int | None, died: bool) -> None:
    guest = Guest(kernels()[0], tmp_path / "root.img", tmp_path, {})
    guest.console.write_text(console)
    guest.status = status
    assert guest.emulator_died() is died
    assert "vm: kprobe killed" in guest.ended_how() and console.splitlines()[-1] in guest.ended_how()
