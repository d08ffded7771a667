"""What a search for marks finds and what becomes of it.

Run as a program, it tries one case: in the process of all tests there are too many objects to search.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from carrel.warmstart.heal import Findings, find_marks
from carrel.warmstart.marks import MARKS
from tests.rigs.places import ROOT

VALUES = {
    "HOME": "/home/ada",
    "USER": "ada",
    "LOGNAME": "ada",
    "JUPYTERHUB_SERVICE_PREFIX": "/user/ada/",
    "JUPYTERHUB_API_URL": "http://127.0.0.1:8081/hub/api",
}


class Settings:
    directory = ""


@dataclass
class Module:
    """Things that an import may leave behind."""

    path: str
    names: list[Any]
    table: dict[str, Any]


def heal(found: Findings) -> None:
    found.heal({"A": "1"}, VALUES)


def whatever_holds_a_mark_is_put_right() -> None:
    home, user = MARKS["HOME"], MARKS["USER"]
    held = Module(
        f"{home}/.jupyter", [1, f"{home}/x", user.encode()], {"nested": {"url": MARKS["JUPYTERHUB_API_URL"]}}
    )
    Settings.directory = f"{home}/.local"
    heal(find_marks())
    assert held.path == "/home/ada/.jupyter"
    assert held.names == [1, "/home/ada/x", b"ada"]
    assert held.table == {"nested": {"url": VALUES["JUPYTERHUB_API_URL"]}}
    assert Settings.directory == "/home/ada/.local"
    assert find_marks().places == ()


def a_path_is_made_anew() -> None:
    held = [Path(MARKS["HOME"], ".cache", "parso")]
    str(held[0])
    heal(find_marks())
    assert held == [Path("/home/ada/.cache/parso")]
    assert str(held[0]) == "/home/ada/.cache/parso"
    assert held[0].parts == ("/", "home", "ada", ".cache", "parso")
    assert str(held[0].parent / "x") == "/home/ada/.cache/x"


def a_copy_of_the_environment_is_made_anew() -> None:
    held = [dict(os.environ) | MARKS]
    heal(find_marks())
    assert held == [{"A": "1"}]


def what_cannot_be_written_to_is_told() -> None:
    held = [(1, f"{MARKS['HOME']}/x")]
    assert repr(held[0]) in find_marks().stuck


def what_is_made_of_a_part_of_a_mark_is_told() -> None:
    held = [{"host": MARKS["JUPYTERHUB_API_URL"].split("/")[2]}]
    assert repr(held[0]) in find_marks().stuck


CASES = (
    whatever_holds_a_mark_is_put_right,
    a_path_is_made_anew,
    a_copy_of_the_environment_is_made_anew,
    what_cannot_be_written_to_is_told,
    what_is_made_of_a_part_of_a_mark_is_told,
)


@pytest.mark.real
@pytest.mark.parametrize("name", [case.__name__ for case in CASES])
def test_in_a_process_of_its_own(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", __name__, name], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{name}\n"


if __name__ == "__main__":
    (case,) = (case for case in CASES if case.__name__ == sys.argv[1])
    case()
    print(case.__name__)
