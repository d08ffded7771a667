from __future__ import annotations

from dataclasses import replace

import pytest

from carrel.core.usage import usage_of
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Usage
from carrel.testing.hub import TrialHub

USED = Usage(memory=5000, cpu=1.5, killed=1)


async def test_the_driver_says_what_a_running_server_uses(hub: TrialHub) -> None:
    server = await hub.start("ada")
    assert await usage_of(hub.ctx, server) is None
    hub.world.script.usage = USED
    assert await usage_of(hub.ctx, server) == USED
    assert await usage_of(hub.ctx, replace(server, node="another machine")) is None
    assert await usage_of(hub.ctx, await hub.stop("ada")) is None


async def test_a_driver_that_cannot_say_it_keeps_nobody_waiting(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(self: Spawner) -> Usage:
        raise RuntimeError("the engine is away")

    server = await hub.start("ada")
    monkeypatch.setattr(hub.ctx.spawner_class, "usage", fail)
    assert await usage_of(hub.ctx, server) is None
