"""Activity only moves forward, is written seldom, and is not lost when a write fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest

from carrel.core.access import caller_of_token
from carrel.core.activity import Activity
from carrel.core.activity_reports import report
from carrel.domain.errors import Forbidden, Invalid, NotFound
from carrel.storage.base import StorageError, Transaction
from carrel.testing.hub import TrialHub


async def _last(hub: TrialHub, name: str = "ada") -> float | None:
    async with hub.ctx.store.read() as tx:
        user = await tx.users.get(name)
    assert user is not None
    return user.last_activity


async def test_it_moves_forward_only(hub: TrialHub) -> None:
    ada, now = (await hub.find("ada")).user, hub.clock.now()
    for moment, known in ((now, now), (now - 500, now), (now + 100, now + 100)):
        hub.ctx.activity.user(ada.id, moment)
        await hub.ctx.activity.flush(hub.ctx.store)
        assert await _last(hub) == known


async def test_small_steps_are_not_written(hub: TrialHub) -> None:
    ada, now = (await hub.find("ada")).user, hub.clock.now()
    hub.ctx.activity.user(ada.id, now)
    await hub.ctx.activity.flush(hub.ctx.store)
    commits = hub.store.commits
    for second in range(1, 30):
        hub.ctx.activity.user(ada.id, now + second)
        await hub.ctx.activity.flush(hub.ctx.store)
    assert hub.store.commits == commits
    hub.ctx.activity.user(ada.id, now + 30)
    await hub.ctx.activity.flush(hub.ctx.store)
    assert await _last(hub) == now + 30


async def test_a_busy_caller_costs_a_write_in_each_half_minute(hub: TrialHub) -> None:
    """The record in the cache is as old as the cache's entry; that must not make every request a write."""
    secret = await hub.token_of((await hub.find("ada")).user)
    commits = hub.store.commits
    for _ in range(120):
        assert await caller_of_token(hub.ctx, secret) is not None
        await hub.ctx.activity.flush(hub.ctx.store)
        await hub.clock.advance(1)
    assert 4 <= hub.store.commits - commits <= 5
    assert (await _last(hub) or 0) >= hub.clock.now() - 31


async def test_a_failed_write_loses_nothing(hub: TrialHub) -> None:
    ada, now = (await hub.find("ada")).user, hub.clock.now()

    class Broken:
        def write(self, *, durable: bool = False) -> object:
            hub.ctx.activity.user(ada.id, now - 100)
            raise StorageError("away")

    hub.ctx.activity.user(ada.id, now)
    with pytest.raises(StorageError):
        await hub.ctx.activity.flush(Broken())  # type: ignore[arg-type]
    await hub.ctx.activity.flush(hub.ctx.store)
    assert await _last(hub) == now


async def test_what_is_being_written_is_known_meanwhile(hub: TrialHub) -> None:
    """Who reads the row before the commit sees no older moment than who asked a moment before."""
    activity, server, now = hub.ctx.activity, await hub.start(), hub.clock.now()

    class Watched:
        def write(self, *, durable: bool = False) -> AbstractAsyncContextManager[Transaction]:
            return self._write()

        @asynccontextmanager
        async def _write(self) -> AsyncIterator[Transaction]:
            async with hub.ctx.store.write() as tx:
                assert activity.of_server(server).last_activity == now + 500
                activity.server(server.id, now + 501)
                yield tx

    activity.server(server.id, now + 500)
    await activity.flush(Watched())  # type: ignore[arg-type]
    assert activity.of_server(server).last_activity == now + 500
    after = await hub.reload(server)
    assert after is not None
    assert after.last_activity == now + 500


def test_nothing_known_is_always_worth_a_note() -> None:
    activity = Activity(30)
    activity.server(1, 5.0)
    assert activity._servers.noted == {1: 5.0}


async def test_a_report_moves_user_and_server(hub: TrialHub) -> None:
    server = await hub.start()
    moment = hub.clock.now() + 50
    await report(hub.ctx, await hub.find("ada"), "ada", moment, {"": moment})
    await hub.ctx.activity.flush(hub.ctx.store)
    assert await _last(hub) == moment
    after = await hub.reload(server)
    assert after is not None
    assert after == replace(after, last_activity=moment)


async def test_a_servers_own_token_may_report(hub: TrialHub) -> None:
    await hub.start()
    caller = await caller_of_token(hub.ctx, hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"])
    assert caller is not None
    await report(hub.ctx, caller, "ada", hub.clock.now(), {})
    with pytest.raises(NotFound):
        await report(hub.ctx, caller, "root", hub.clock.now(), {})


async def test_reports_that_are_refused(hub: TrialHub) -> None:
    await hub.start()
    ada, root, now = await hub.find("ada"), await hub.find("root"), hub.clock.now()
    with pytest.raises(Invalid, match="No such server 'gpu' for user ada"):
        await report(hub.ctx, ada, "ada", None, {"": now, "gpu": now})
    with pytest.raises(Invalid, match="future"):
        await report(hub.ctx, ada, "ada", now + 3600, {})
    with pytest.raises(Invalid, match="future"):
        await report(hub.ctx, ada, "ada", None, {"": now + 3600})
    with pytest.raises(NotFound):
        await report(hub.ctx, root, "ghost", now, {})
    with pytest.raises(Forbidden):
        await report(hub.ctx, hub.caller_of(ada.user, "tokens!user"), "ada", now, {})
    await report(hub.ctx, ada, "ada", now + 3500, {"": now + 3500})
