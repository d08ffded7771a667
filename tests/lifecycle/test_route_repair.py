"""The data plane's table follows the rows, whatever happens to it."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.core.routes import repair
from carrel.domain.events import RouteMissing
from carrel.lib.clock import isoformat
from carrel.lifecycle.routes import collect_activity
from carrel.storage.base import StorageError
from carrel.testing.factories import a_caller, a_user
from carrel.testing.hub import TrialHub

ADMIN = a_caller(a_user("root", admin=True))
CHECK = 5.0
REPAIR = 65.0


async def test_lost_routes_come_back_within_a_minute(hub: TrialHub) -> None:
    await hub.start()
    hub.proxy.lose_routes()
    await hub.clock.advance(REPAIR)
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_data_plane_that_was_started_anew_is_filled_at_once(hub: TrialHub) -> None:
    await hub.start()
    hub.proxy.crash()
    await hub.clock.advance(CHECK)
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_request_that_reached_the_hub_mends_the_route_at_once(hub: TrialHub) -> None:
    await hub.start()
    hub.proxy.lose_routes()
    hub.ctx.bus.publish(RouteMissing("ada", ""))
    await hub.clock.settle()
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_repair_that_is_asked_for_sets_at_once_and_removes_in_a_moment(hub: TrialHub) -> None:
    await hub.start()
    hub.proxy.lose_routes()
    await hub.proxy.add_route("/user/ghost/", "http://127.0.0.1:9", {})
    await repair(hub.ctx, ADMIN)
    assert "/user/ada/" in hub.proxy.specs()
    await hub.clock.settle()
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_repair_that_is_asked_for_leaves_the_route_of_a_server_about_to_run(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.start()
    async with hub.routes.added(await hub.server()):
        await repair(hub.ctx, ADMIN)
        await hub.clock.settle()
        assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_repair_that_is_asked_for_fills_a_data_plane_that_missed_a_change(hub: TrialHub) -> None:
    await hub.start()
    hub.proxy.lose_routes()
    hub.proxy.fall_behind()
    await repair(hub.ctx, ADMIN)
    await hub.clock.settle()
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_visit_during_the_start_does_not_set_the_route_early(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.start()
    hub.ctx.bus.publish(RouteMissing("ada", ""))
    await hub.clock.settle()
    assert hub.proxy.specs() == set()


async def test_a_foreign_route_of_ours_goes_away(hub: TrialHub) -> None:
    await hub.proxy.add_route("/user/ghost/", "http://127.0.0.1:9", {})
    await hub.clock.advance(REPAIR)
    assert hub.proxy.specs() == set()


async def test_a_route_that_points_elsewhere_is_set_right(hub: TrialHub) -> None:
    await hub.start()
    await hub.proxy.add_route("/user/ada/", "http://127.0.0.1:9", {})
    await hub.clock.advance(REPAIR)
    assert hub.proxy.table["/user/ada/"][0] == "http://127.0.0.1:1"


async def test_a_route_goes_away_even_when_its_removal_failed(hub: TrialHub) -> None:
    await hub.start()
    hub.proxy.failures["delete_route"] = 1
    server = await hub.stop()
    assert not server.active
    await hub.clock.advance(CHECK)
    assert hub.proxy.specs() == set()


async def test_a_data_plane_that_missed_a_change_gets_the_whole_table_at_once(hub: TrialHub) -> None:
    await hub.make_user("bea")
    await hub.start()
    hub.proxy.lose_routes()
    hub.proxy.fall_behind()
    assert (await hub.start("bea")).ready
    assert hub.proxy.specs() == {"/user/ada/", "/user/bea/"}
    hub.proxy.lose_routes()
    hub.proxy.fall_behind()
    await hub.stop()
    assert hub.proxy.specs() == {"/user/bea/"}


async def test_that_a_dead_server_is_still_called_running_does_not_bring_its_route_back(
    hub: TrialHub,
) -> None:
    await hub.start()
    hub.proxy.fall_behind()
    hub.world.servers[1, 1].exit_status = 1
    await hub.clock.advance(60)
    assert hub.proxy.specs() == set()


@pytest.mark.parametrize("call", ["start", "get_all_routes", "add_route"])
async def test_a_repair_that_fails_is_tried_again_soon(hub: TrialHub, call: str) -> None:
    await hub.start()
    hub.proxy.crash()
    hub.proxy.failures[call] = 2
    await hub.clock.advance(3 * CHECK)
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_database_that_fails_does_not_end_the_workers(hub: TrialHub) -> None:
    await hub.start()
    broken = 3
    read = hub.store.read

    def fail() -> object:
        nonlocal broken
        if broken:
            broken -= 1
            raise StorageError("away")
        return read()

    hub.store.read = fail  # type: ignore[assignment,method-assign]
    hub.proxy.crash()
    await hub.clock.advance(3 * CHECK)
    assert broken == 0
    assert hub.proxy.specs() == {"/user/ada/"}
    hub.world.servers[1, 1].exit_status = 1
    await hub.clock.advance(60)
    assert not (await hub.server()).active


async def test_a_start_while_the_database_hiccups_is_done_later(hub: TrialHub) -> None:
    read = hub.store.read
    await hub.ask_start()

    def fail() -> object:
        raise StorageError("away")

    hub.store.read = fail  # type: ignore[assignment,method-assign]
    await hub.clock.advance(20)
    hub.store.read = read  # type: ignore[method-assign]
    await hub.clock.advance(10)
    assert (await hub.server()).ready


async def test_the_data_planes_activity_reaches_rows(hub: TrialHub) -> None:
    server = await hub.start()
    await hub.clock.advance(100)
    target, data = hub.proxy.table["/user/ada/"]
    hub.proxy.table["/user/ada/"] = (target, data | {"last_activity": isoformat(hub.clock.now())})
    await collect_activity(hub.ctx)
    await hub.ctx.activity.flush(hub.ctx.store)
    after = await hub.reload(server)
    assert after is not None
    assert after.last_activity == hub.clock.now()


async def test_names_are_escaped_in_routes(hub: TrialHub) -> None:
    for name in ("jörg", "a b", "me@home", "per%cent"):
        await hub.make_user(name)
        assert (await hub.start(name)).ready
    assert hub.proxy.specs() == {"/user/j%C3%B6rg/", "/user/a%20b/", "/user/me@home/", "/user/per%25cent/"}


async def test_many_requests_that_reach_the_hub_cost_one_look_a_second(hub: TrialHub) -> None:
    await hub.start()
    await hub.clock.advance(10)
    before = hub.proxy.calls.count(("get_all_routes", ""))
    for _ in range(100):
        hub.ctx.bus.publish(RouteMissing("ada", ""))
        await hub.clock.advance(0.1)
    assert 10 <= hub.proxy.calls.count(("get_all_routes", "")) - before <= 12


async def test_a_route_whose_row_could_not_be_written_goes_away_at_once(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    adding, writing = hub.proxy.add_route, hub.store.write

    def fail(**_: object) -> object:
        raise StorageError("away")

    async def add_route(*words: Any) -> None:
        await adding(*words)
        hub.store.write = fail  # type: ignore[assignment,method-assign]

    monkeypatch.setattr(hub.proxy, "add_route", add_route)
    await hub.start()
    await hub.clock.advance(1)
    assert hub.proxy.specs() == set()
    monkeypatch.undo()
    hub.store.write = writing  # type: ignore[method-assign]
    await hub.clock.advance(60)
    assert hub.proxy.specs() == ({"/user/ada/"} if (await hub.server()).ready else set())
    assert len(hub.world.alive()) == len(hub.proxy.specs())
