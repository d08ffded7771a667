"""The command `jupyterhub`, made on request, and never over another one."""

from __future__ import annotations

import subprocess
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path
from typing import cast

import pytest

from carrel.cli import other_name
from carrel.cli.exits import Refused
from carrel.cli.other_name import jupyterhub_command
from carrel.config.arguments import BadArguments


def nothing(name: str) -> Distribution:
    raise PackageNotFoundError(name)


@pytest.fixture(autouse=True)
def _no_jupyterhub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_name, "distribution", nothing)


def test_it_runs_carrel_and_goes_again(tmp_path: Path) -> None:
    for _ in range(2):
        assert jupyterhub_command([str(tmp_path)]) == 0
    said = subprocess.run([tmp_path / "jupyterhub", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("carrel ")
    for _ in range(2):
        assert jupyterhub_command([str(tmp_path), "--remove"]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [[], ["--remove"]])
@pytest.mark.parametrize("kind", ["file", "link", "nowhere"])
def test_somebody_else_s_command_is_left_alone(tmp_path: Path, kind: str, argv: list[str]) -> None:
    place = tmp_path / "jupyterhub"
    if kind == "file":
        place.write_text("#!/bin/sh\n")
    else:
        place.symlink_to("/bin/sh" if kind == "link" else tmp_path / "none")
    with pytest.raises(Refused, match="something else's"):
        jupyterhub_command([str(tmp_path), *argv])
    assert place.is_symlink() or place.read_text() == "#!/bin/sh\n"


def test_beside_a_jupyterhub_a_directory_has_to_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Real:
        version = "6.1.1"

    monkeypatch.setattr(other_name, "distribution", lambda name: cast(Distribution, Real()))
    monkeypatch.setattr(other_name.sys, "executable", str(tmp_path / "python"))  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="is installed here"):
        jupyterhub_command([])
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "first").mkdir()
    assert jupyterhub_command([str(tmp_path / "first")]) == 0


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match="one directory"):
        jupyterhub_command(["a", "b"])
    with pytest.raises(BadArguments, match="one directory"):
        jupyterhub_command(["--force"])
    with pytest.raises(Refused, match="No such file"):
        jupyterhub_command([str(tmp_path / "none")])
