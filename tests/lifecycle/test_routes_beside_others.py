"""Several hubs keep one table of routes, and none takes away what another has just set."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from carrel.core.routes import wanted_routes
from carrel.domain.events import ServerChanged
from carrel.domain.hubs import Hub
from carrel.domain.servers import Actual, Lease, Server, Wanted
from carrel.proxy.base import OutOfStep
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.hubs import Peer

SPEC, URL = "/user/ada/", "http://127.0.0.1:7"


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A hub that knows another one, whose own workers do not run; with the user ada."""
    async with open_test_hub(work=False) as hub:
        now = hub.clock.now()
        hub.ctx.peers.update([Hub("other", "", "http://other", "0.1", now, now + 10)])
        await hub.make_user("ada")
        yield hub


async def write(hub: TrialHub, **changes: Any) -> Server:
    """Write the row of ada's server as another hub does."""
    async with hub.store.write() as tx:
        user = await tx.users.get("ada")
        assert user is not None
        row = await tx.servers.get(user.id, "") or await tx.servers.create(user.id, "", now=hub.clock.now())
        saved = await tx.servers.save(replace(row, **changes))
    assert saved is not None
    return saved


async def start_elsewhere(hub: TrialHub) -> Server:
    """Be as far with a start as the other hub is when it has set the route and not yet written the row."""
    hub.proxy.table[SPEC] = (URL, {"user": "ada", "server_name": ""})
    lease = Lease("other", hub.clock.now() + 10, 1)
    return await write(hub, wanted=Wanted.RUNNING, actual=Actual.STARTING, lease=lease)


async def test_the_route_of_a_start_on_another_hub_stays(hub: TrialHub) -> None:
    await start_elsewhere(hub)
    await hub.routes.sync()
    assert hub.proxy.specs() == {SPEC}
    await write(hub, actual=Actual.RUNNING, lease=None, url=URL)
    await hub.routes.sync()
    assert hub.proxy.specs() == {SPEC}
    assert ("delete_route", SPEC) not in hub.proxy.calls


async def test_the_route_of_the_next_run_stays_though_the_end_of_the_last_one_is_seen_late(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await write(hub, wanted=Wanted.RUNNING, actual=Actual.RUNNING, url="http://127.0.0.1:6")
    looking, goes_on = hub.proxy.get_all_routes, asyncio.Event()

    async def get_all_routes() -> Any:
        await goes_on.wait()
        return await looking()

    monkeypatch.setattr(hub.proxy, "get_all_routes", get_all_routes)
    others = asyncio.create_task(hub.routes.sync())
    await hub.clock.settle()
    polling = asyncio.create_task(hub.reconciler._poller.poll(server))
    await hub.clock.settle()
    assert (await hub.server()).actual is Actual.FAILED
    # The other hub has started it anew by now.
    hub.proxy.table[SPEC] = (URL, {"user": "ada", "server_name": ""})
    await write(hub, actual=Actual.RUNNING, generation=1, failure=None, url=URL)
    goes_on.set()
    await asyncio.gather(others, polling)
    assert hub.proxy.table[SPEC][0] == URL


async def test_what_nobody_wants_goes_and_what_is_missing_comes(hub: TrialHub) -> None:
    hub.proxy.table["/user/bea/"] = (URL, {})
    await write(hub, wanted=Wanted.RUNNING, actual=Actual.RUNNING, url=URL)
    await hub.routes.sync()
    assert hub.proxy.specs() == {SPEC}


async def test_a_row_written_meanwhile_is_seen_before_the_sync_ends(hub: TrialHub) -> None:
    hub.proxy.table["/user/bea/"] = (URL, {})
    delete = hub.proxy.delete_route

    async def another_hub_starts(routespec: str) -> None:
        await delete(routespec)
        hub.proxy.delete_route = delete  # type: ignore[method-assign]
        await write(hub, wanted=Wanted.RUNNING, actual=Actual.RUNNING, url=URL)

    hub.proxy.delete_route = another_hub_starts  # type: ignore[method-assign]
    await hub.routes.sync()
    assert hub.proxy.specs() == {SPEC}


async def test_a_start_that_a_sync_has_hit_is_looked_at_when_it_is_done(hub: TrialHub) -> None:
    hub.proxy.table["/user/bea/"] = (URL, {})
    row = await start_elsewhere(hub)
    await hub.routes.sync()
    del hub.proxy.table[SPEC]
    await write(hub, actual=Actual.RUNNING, lease=None, url=URL)
    hub.routes.heed(ServerChanged(row.id + 1, "bea", ""))
    assert not hub.routes._nudged.is_set()
    hub.routes.heed(ServerChanged(row.id, "ada", ""))
    assert hub.routes._nudged.is_set()


async def test_a_data_plane_that_missed_a_change_is_set_anew(hub: TrialHub) -> None:
    await start_elsewhere(hub)
    hub.proxy.table["/user/bea/"] = (URL, {})
    put: list[set[str]] = []

    async def refuse(routespec: str) -> None:
        raise OutOfStep("a change went missing")

    async def put_routes(routes: Mapping[str, Any]) -> None:
        put.append(set(routes))
        hub.proxy.table = {spec: (route.target, dict(route.data)) for spec, route in routes.items()}

    hub.proxy.delete_route = refuse  # type: ignore[method-assign]
    hub.proxy.put_routes = put_routes  # type: ignore[method-assign]
    await hub.routes.sync()
    assert put == [{"/", SPEC}]


async def test_the_hubs_route_has_the_addresses_of_all_whichever_hub_asks(hub: TrialHub) -> None:
    now = hub.clock.now()
    peers = [Peer(hub, name) for name in ("b", "a")]
    async with hub.store.write() as tx:
        for age, name in enumerate(("a", "b", "c")):
            await tx.hubs.put(Hub(name, "", f"http://{name}", "0.1", now - age, now + 10))
        await tx.hubs.put(Hub("gone", "", "http://gone", "0.1", now - 99, now - 1))
    for peer in peers:
        route = (await wanted_routes(peer.ctx))["/"]
        assert (route.target, route.data["alternatives"]) == ("http://c", ["http://b", "http://a"])
    assert "alternatives" not in (await wanted_routes(hub.ctx))["/"].data
