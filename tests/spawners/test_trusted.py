from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from carrel.spawners.trusted import who_else_writes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root's files can be root's")


@pytest.fixture
def interpreter(tmp_path: Path) -> Path:
    packages = tmp_path / "lib" / "python3.11" / "site-packages"
    (packages / "thing").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    path = tmp_path / "bin" / "python"
    path.write_text("#!/bin/sh\n")
    return path


def test_what_is_roots_alone_is_trusted(interpreter: Path) -> None:
    assert who_else_writes(str(interpreter)) == ""


@pytest.mark.parametrize(
    "name", ["bin/python", "lib/python3.11/site-packages", "lib/python3.11/site-packages/thing"]
)
@pytest.mark.parametrize("how", ["mode", "owner"])
def test_what_others_may_change_is_named(interpreter: Path, name: str, how: str) -> None:
    path = interpreter.parents[1] / name
    if how == "mode":
        path.chmod(0o775)
    else:
        os.chown(path, 4711, 0)
    assert who_else_writes(str(interpreter)) == str(path)


def test_the_hubs_own_environment_is_not_asked_about() -> None:
    assert who_else_writes(str(Path(sys.prefix) / "bin" / "python")) == ""
