"""A command that cannot run is told before anything is started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carrel.spawners.commands import path_with
from carrel.spawners.errors import StartError


def script(directory: Path, first: bytes) -> str:
    path = directory / "start"
    path.write_bytes(first)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    "first", [b"#!/bin/sh\n", b"#! /usr/bin/env python3\n", b"#!\n", b"#!python\n", b"\x7fELF", b""]
)
def test_a_script_whose_interpreter_is_there_or_not_known_may_start(tmp_path: Path, first: bytes) -> None:
    assert path_with(script(tmp_path, first), {"PATH": "/bin"}) == "/bin"


def test_a_script_whose_interpreter_is_gone_is_told_with_both(tmp_path: Path) -> None:
    program = script(tmp_path, b"#!/no/such/python -u\nprint()\n")
    with pytest.raises(
        StartError, match=r"start names a program that is not there: /no/such/python\."
    ) as told:
        path_with(program, {})
    assert "moved" in told.value.hint


def test_a_path_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    program = script(tmp_path, b"#!/bin/sh\n")
    os.chmod(program, 0o644)
    with pytest.raises(StartError, match="not executable"):
        path_with(program, {})
