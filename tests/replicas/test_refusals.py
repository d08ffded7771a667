"""Hubs that must not run beside each other say so and end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import STUB, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def second(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub with ports and a directory of its own; its configuration is a test's."""
    hub = HubProcess(carrel(), tmp_path / "second", "")
    yield hub
    hub.clean_up()


def test_a_second_hub_on_one_sqlite_file_is_refused(tmp_path: Path, second: HubProcess) -> None:
    config = class_config(tmp_path, STUB) + f"\nc.JupyterHub.db_url = 'sqlite:///{tmp_path}/shared.sqlite'\n"
    second._config = config
    with HubProcess(carrel(), tmp_path / "first", config) as first:
        second.launch()
        assert second.wait(30) == 6
        assert second.log.strip().splitlines()[-1] == (
            f"carrel: sqlite:///{tmp_path}/shared.sqlite: Another hub (pid {first.pid}) uses this database: "
            "stop it first, or share PostgreSQL."
        )
        assert "Traceback" not in second.log
        first.kill9()
        # The place of a hub that was killed is free at once.
        second.launch()
        second.wait_ready()


def test_two_hubs_of_one_directory_are_refused_on_postgresql_too(
    tmp_path: Path, second: HubProcess, postgres_url: str
) -> None:
    config = class_config(tmp_path, STUB) + (
        f"\nc.JupyterHub.db_url = {postgres_url!r}\nc.JupyterHub.runtime_dir = '{tmp_path}/run'\n"
    )
    second._config = config
    with HubProcess(carrel(), tmp_path / "first", config) as first:
        second.launch()
        assert second.wait(30) == 3
        assert f"another hub (pid {first.pid}) runs from {tmp_path}/run: give each hub" in second.log
        assert "Traceback" not in second.log
