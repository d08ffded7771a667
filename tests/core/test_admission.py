"""Limits on servers: where JupyterHub's settings ask for a refusal, and where starts wait instead."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from carrel.core.servers import ask_to_start, ask_to_stop, wait_until_settled, watch_start
from carrel.core.standing import Standing
from carrel.core.users import get_user, list_users
from carrel.domain.errors import Invalid, NotFound, OverLimit, Unavailable
from carrel.domain.paging import PageRequest
from carrel.storage.users import UserFilter
from carrel.testing.hub import TrialHub, open_test_hub


async def _busy(hub: TrialHub, count: int) -> None:
    """Have so many starts of users a, b, … under way."""
    hub.world.script.start_delay = 30
    for name in "abcdefgh"[:count]:
        await hub.make_user(name)
        await hub.ask_start(name)
    await hub.clock.settle()


async def test_without_the_setting_starts_beyond_the_limit_wait() -> None:
    async with open_test_hub(concurrent_spawn_limit=2) as hub:
        await _busy(hub, 5)
        assert (await hub.server("e")).pending == "spawn"


async def test_with_it_they_are_refused() -> None:
    async with open_test_hub(concurrent_spawn_limit=2, spawn_throttle_retry_range=(30, 60)) as hub:
        await _busy(hub, 2)
        seconds = set()
        await hub.make_user("late")
        for _ in range(20):
            with pytest.raises(OverLimit, match=r"are starting now\. Try again in") as caught:
                await hub.ask_start("late")
            seconds.add(caught.value.retry_after)
        assert all(30 <= each <= 60 for each in seconds)
        assert len(seconds) > 5
        assert (await hub.ask_start("a")).pending == "spawn", "one that starts already is not refused"
        await hub.clock.advance(31)
        assert (await hub.ask_start("late")).pending == "spawn"


async def test_the_number_of_active_servers_has_a_limit() -> None:
    async with open_test_hub(active_server_limit=2) as hub:
        await _busy(hub, 1)
        hub.world.script.start_delay = 0
        await hub.make_user("y")
        await hub.make_user("z")
        await hub.start("y")
        with pytest.raises(OverLimit):
            await hub.ask_start("z")
        await hub.stop("y")
        assert (await hub.start("z")).ready


async def test_a_refusal_leaves_no_row_behind() -> None:
    async with open_test_hub(active_server_limit=1) as hub:
        await _busy(hub, 1)
        await hub.make_user("z")
        with pytest.raises(OverLimit):
            await hub.ask_start("z")
        with pytest.raises(LookupError):
            await hub.server("z")


async def _ask(hub: TrialHub, server_name: str, user: str = "ada") -> Any:
    return await ask_to_start(hub.ctx, await hub.find(user), user, server_name)


async def test_named_servers_are_off_unless_allowed(hub: TrialHub) -> None:
    with pytest.raises(Invalid, match="not enabled"):
        await _ask(hub, "lab")


async def test_a_named_server_lives_beside_the_other() -> None:
    async with open_test_hub(allow_named_servers=True) as hub:
        ada = await hub.make_user("ada")
        await hub.start()
        server = await wait_until_settled(hub.ctx, await _ask(hub, "lab"), 10)
        assert server is not None
        assert (server.ready, server.name) == (True, "lab")
        assert hub.proxy.specs() == {"/user/ada/", "/user/ada/lab/"}
        assert hub.world.servers[2, 1].env["JUPYTERHUB_SERVER_NAME"] == "lab"
        stopped = await ask_to_stop(hub.ctx, ada, "ada", "lab")
        assert stopped is not None
        await wait_until_settled(hub.ctx, stopped, 10)
        assert hub.proxy.specs() == {"/user/ada/"}
        assert (await hub.server()).ready


@pytest.mark.parametrize("name", ["Lab", "1lab", "a--b", "a-", "a" * 31, "a.b", "a/b", "läb"])
async def test_names_that_no_server_has(name: str) -> None:
    async with open_test_hub(allow_named_servers=True) as hub:
        await hub.make_user("ada")
        with pytest.raises(Invalid, match="1 to 30 characters"):
            await _ask(hub, name)


async def _none(asking: Any) -> int:
    return 0 if asking.current_user.admin else 2


@pytest.mark.parametrize("limit", [2, lambda asking: 0 if asking.current_user.admin else 2, _none])
async def test_named_servers_have_a_limit(limit: Any) -> None:
    async with open_test_hub(allow_named_servers=True, named_server_limit_per_user=limit) as hub:
        await hub.make_user("ada")
        await hub.start()
        for name in ("one", "two"):
            await _ask(hub, name)
        with pytest.raises(Invalid, match="User ada already has the maximum of 2 named servers"):
            await _ask(hub, "three")
        await _ask(hub, "two")
        await hub.make_user("root", admin=True)
        root = await hub.find("root")
        if callable(limit):
            await ask_to_start(hub.ctx, root, "ada", "three")


async def test_a_limit_that_cannot_be_told_is_named() -> None:
    async with open_test_hub(allow_named_servers=True, named_server_limit_per_user=lambda _: 1 / 0) as hub:
        await hub.make_user("ada")
        with pytest.raises(Unavailable, match="named_server_limit_per_user"):
            await _ask(hub, "lab")
        with pytest.raises(NotFound):
            await ask_to_start(hub.ctx, await hub.find("ada"), "nobody", "lab")


async def test_who_waits_is_told_where_they_stand() -> None:
    async with open_test_hub(concurrent_spawn_limit=1) as hub:
        await hub.make_user("root", admin=True)
        await _busy(hub, 4)
        root = await hub.find("root")
        row = await hub.server("d")

        async def watch() -> list[str]:
            return [step.message async for step in watch_start(hub.ctx, row)]

        watching = asyncio.create_task(watch())
        await hub.clock.advance(3)
        record = await get_user(hub.ctx, root, "d")
        assert record.standings == {row.id: Standing(2)}
        page = await list_users(hub.ctx, root, UserFilter(), PageRequest(0, 50))
        ahead = {
            item.user.name: item.standings.get(item.servers[0].id) for item in page.items if item.servers
        }
        assert ahead == {"a": None, "b": Standing(0), "c": Standing(1), "d": Standing(2)}
        await hub.clock.advance(200)
        messages = await watching
        assert messages[:3] == [
            "Waiting: 2 starts are ahead",
            "Waiting: one start is ahead",
            "Server requested",
        ]
        assert messages[-1].startswith("Server ready")
