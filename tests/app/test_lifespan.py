"""The order in which the hub's parts start, and what happens when one of them does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from carrel.app.first_start import point_at_jupyterhub
from carrel.app.lifespan import run_workers
from carrel.config.schema import Settings
from carrel.proxy.base import ProxyError
from carrel.testing.fakes import FakeServer
from carrel.testing.hub import open_test_hub


@pytest.mark.parametrize("call", ["start", "add_route"])
async def test_a_data_plane_that_is_killed_while_the_hub_starts_is_started_again(call: str) -> None:
    async with open_test_hub(work=False) as hub:
        hub.proxy.failures[call] = 2
        async with run_workers(hub.ctx):
            assert "/" in hub.proxy.table


async def test_a_hub_without_a_data_plane_does_not_start() -> None:
    async with open_test_hub(work=False) as hub:
        hub.proxy.failures["start"] = 3
        with pytest.raises(ProxyError):
            async with run_workers(hub.ctx):
                raise AssertionError("it started")


async def test_what_runs_without_a_row_is_looked_for() -> None:
    async with open_test_hub(work=False) as hub:
        hub.world.servers[5, 1] = FakeServer({})
        async with run_workers(hub.ctx):
            await hub.clock.advance(20)
            assert hub.world.alive() == set()


def test_a_jupyterhub_database_is_pointed_at_while_there_is_none_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(directory=tmp_path)
    point_at_jupyterhub(settings)
    assert not caplog.messages
    (tmp_path / "jupyterhub.sqlite").touch()
    point_at_jupyterhub(settings)
    assert "`carrel import-jupyterhub`" in caplog.text
    caplog.clear()
    point_at_jupyterhub(replace(settings, db_url="postgresql://h/carrel"))
    (tmp_path / "carrel.sqlite").touch()
    point_at_jupyterhub(settings)
    assert not caplog.messages
