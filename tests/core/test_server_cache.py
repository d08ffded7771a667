"""A client that asks who it is again and again: its servers are read once a second, and never shown stale."""

from __future__ import annotations

from dataclasses import replace

from carrel.core.cache import ServerCache
from carrel.core.users import get_self
from carrel.domain.events import ServerChanged
from carrel.domain.servers import Actual
from carrel.testing.hub import TrialHub


async def test_a_change_shows_at_once(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    assert (await get_self(hub.ctx, ada)).servers == ()
    await hub.start()
    assert [row.actual for row in (await get_self(hub.ctx, ada)).servers] == [Actual.RUNNING]
    await hub.stop()
    assert [row.actual for row in (await get_self(hub.ctx, ada)).servers] == [Actual.STOPPED]


async def test_what_another_hub_writes_shows_a_second_later(hub: TrialHub) -> None:
    ada, server = await hub.find("ada"), await hub.start()
    before = (await get_self(hub.ctx, ada)).servers
    async with hub.store.write() as tx:
        assert await tx.servers.save(replace(server, display_name="other")) is not None
    assert (await get_self(hub.ctx, ada)).servers == before
    await hub.clock.advance(1.1)
    assert [row.display_name for row in (await get_self(hub.ctx, ada)).servers] == ["other"]


def test_what_was_read_before_a_change_is_not_kept() -> None:
    cache = ServerCache()
    epoch = cache.epoch
    cache.heed(ServerChanged(1, "ada", ""))
    cache.put(1, (), 0.0, epoch)
    assert cache.get(1, 0.0) is None
    cache.put(1, (), 0.0, cache.epoch)
    assert cache.get(1, 0.9) == ()
    assert cache.get(1, 1.1) is None
