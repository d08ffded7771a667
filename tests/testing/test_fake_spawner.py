from __future__ import annotations

import asyncio

import pytest
from traitlets.config import Config

from carrel.spawners.run import Run, make_spawner
from carrel.spawners.views import HubView, UserView
from carrel.testing.fakes import FakeSpawner, FakeWorld, Script


def driver_in(world: FakeWorld, generation: int = 1) -> FakeSpawner:
    run = Run(
        user=UserView(id=1, name="alice", base_url="/"),
        hub=HubView(api_url="http://127.0.0.1:8081/hub/api", hub_id="test"),
        server_id=3,
        generation=generation,
    )
    return make_spawner(world.spawner_class(), run, Config())


async def test_scripts_fail_each_call_on_demand() -> None:
    world = FakeWorld(script=Script(poll_error=OSError("no answer"), stop_error=OSError("busy")))
    driver = driver_in(world)
    await driver.start()
    with pytest.raises(OSError, match="no answer"):
        await driver.poll()
    with pytest.raises(OSError, match="busy"):
        await driver.stop()
    assert world.alive() == {(3, 1)}
    assert [name for name, _ in world.calls] == ["start", "poll", "stop"]


async def test_a_script_may_be_for_one_user() -> None:
    world = FakeWorld(scripts={"alice": Script(exit_status=9)})
    driver = driver_in(world)
    await driver.start()
    assert await driver.poll() == 9


async def test_a_bad_driver_leaves_its_server_behind() -> None:
    world = FakeWorld(script=Script(start_error=RuntimeError("late"), leave_on_error=True))
    with pytest.raises(RuntimeError, match="late"):
        await driver_in(world).start()
    (orphan,) = await driver_in(world).find_orphans(known=[])
    assert (orphan.server_id, orphan.generation) == (3, 1)
    assert await driver_in(world).find_orphans(known=[(3, 1)]) == []


async def test_a_start_that_is_cancelled_ends_at_once() -> None:
    world = FakeWorld(script=Script(start_delay=3600))
    task = asyncio.create_task(driver_in(world).start())
    await asyncio.sleep(0)
    assert world.alive() == {(3, 1)}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert world.alive() == set()


async def test_worlds_and_generations_are_apart() -> None:
    one, other = FakeWorld(), FakeWorld()
    await driver_in(one).start()
    await driver_in(one, generation=2).start()
    assert (one.alive(), other.alive()) == ({(3, 1), (3, 2)}, set())
