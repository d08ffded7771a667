"""What the tutorial types into a terminal, under the name that it types."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.systems import System, carrel
from tests.tutorial.examples import example

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def system(tmp_path: Path) -> System:
    """Carrel as the command `jupyterhub`."""
    place = tmp_path / "bin"
    place.mkdir()
    made = subprocess.run(
        [*carrel().command, "jupyterhub-command", str(place)], capture_output=True, text=True, check=True
    )
    assert made.stdout == f"{place}/jupyterhub runs Carrel\n"
    path = f"{place}{os.pathsep}{carrel().environment['PATH']}"
    return System("carrel as jupyterhub", (f"{place}/jupyterhub",), environment={"PATH": path})


def type_in(system: System, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["jupyterhub", *words],
        cwd=directory,
        env=os.environ | dict(system.environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_configuration_file_to_begin_with(tmp_path: Path, system: System) -> None:
    made = type_in(system, tmp_path, "--generate-config")
    assert made.returncode == 0, made.stderr
    text = (tmp_path / "jupyterhub_config.py").read_text()
    assert "# c.JupyterHub.ip = " in text
    again = type_in(system, tmp_path, "--generate-config")
    assert again.returncode == 1
    assert (tmp_path / "jupyterhub_config.py").read_text() == text


def test_tokens_from_the_terminal(tmp_path: Path, system: System) -> None:
    with HubProcess(system, tmp_path, example("users", tmp_path)) as hub:
        # Whoever the configuration names is a user already.
        made = type_in(system, tmp_path, "token", "minrk")
        assert made.returncode == 0, made.stderr
        assert re.fullmatch(r"[0-9a-f]{32}\n", made.stdout)
        assert hub.api("GET", "user", token=made.stdout.strip()).json()["name"] == "minrk"
        nobody = type_in(system, tmp_path, "token", "eve")
        assert (nobody.returncode, nobody.stdout) == (1, "")
        assert "No such user: eve" in nobody.stderr
        assert hub.terminate() == 0


def test_without_tls_it_starts_and_says_so(tmp_path: Path, system: System) -> None:
    """In the tutorial's time the hub did not start without a certificate unless `--no-ssl` was given."""
    asked = System("no ssl", (*system.command, "--no-ssl"), environment=system.environment)
    with HubProcess(asked, tmp_path, example("first-hub", tmp_path)) as hub:
        assert hub.visitor().get("hub/login").status == 200
        assert "--no-ssl" in hub.log
