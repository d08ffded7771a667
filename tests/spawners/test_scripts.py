from __future__ import annotations

from pathlib import Path

import pytest

from carrel.spawners.scripts import NoWarmStart, Script, find_script

NAMES = ["carrel-singleuser"]


def write(path: Path, first: str) -> str:
    path.write_text(f"{first}\nimport sys\n")
    path.chmod(0o755)
    return str(path)


def test_a_console_script_is_found_on_the_path(tmp_path: Path) -> None:
    path = write(tmp_path / "carrel-singleuser", "#!/opt/lab/bin/python3.11")
    wanted = Script(path, "/opt/lab/bin/python3.11")
    assert find_script(["carrel-singleuser", "--debug"], {"PATH": f"/nowhere:{tmp_path}"}, NAMES) == wanted
    assert find_script([path], {}, NAMES) == wanted


@pytest.mark.parametrize(
    "first",
    ["#!/bin/sh", "#!/usr/bin/env python3", "#!/usr/bin/python3 -I", "#!python3", "", "\x7fELF", "#!"],
)
def test_what_is_not_just_a_python_is_started_the_usual_way(tmp_path: Path, first: str) -> None:
    path = write(tmp_path / "carrel-singleuser", first)
    with pytest.raises(NoWarmStart, match="first line"):
        find_script([path], {}, NAMES)


@pytest.mark.parametrize("words", [["bash", "-c", "carrel-singleuser"], [], ["/bin/jupyter-lab"]])
def test_only_programs_that_are_named_have_a_warm_start(words: list[str]) -> None:
    with pytest.raises(NoWarmStart, match="none of carrel-singleuser"):
        find_script(words, {"PATH": "/usr/bin"}, NAMES)


@pytest.mark.parametrize("word", ["carrel-singleuser", "bin/carrel-singleuser", "/nowhere/carrel-singleuser"])
def test_a_script_that_is_not_there_is_told(word: str) -> None:
    with pytest.raises(NoWarmStart):
        find_script([word], {"PATH": "/nowhere"}, NAMES)
