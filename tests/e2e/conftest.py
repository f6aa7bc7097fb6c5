# SPDX-License-Identifier: MIT
"""Fixtures of the end-to-end tests. They need root, build/cowtrace and build/targets."""
from __future__ import annotations

import os
from pathlib import Path

import pytest

import cow
import pythons


def pytest_configure(config: pytest.Config) -> None:
    if os.geteuid() != 0:
        raise pytest.UsageError("the end-to-end tests need root: sudo scripts/test")
    if not cow.COWTRACE.exists():
        raise pytest.UsageError(f"{cow.COWTRACE} is missing: run make first")


@pytest.fixture(params=pythons.SUPPORTED)
def python(request: pytest.FixtureRequest) -> str:
    """Each supported CPython in turn."""
    return pythons.need(request.param)


@pytest.fixture(scope="session")
def any_python() -> str:
    """One supported CPython, for tests that do not depend on the version."""
    return pythons.need_any()


@pytest.fixture(scope="session")
def tree313() -> Path:
    """A root file system with a CPython 3.13 of its own."""
    return pythons.need_tree("3.13")


@pytest.fixture()
def world_readable(tmp_path_factory: pytest.TempPathFactory):
    """A directory that other users can enter, unlike pytest's own."""
    import shutil
    import tempfile

    path = Path(tempfile.mkdtemp(prefix="cowtrace-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)
