from __future__ import annotations

import pytest

from carrel.domain.events import Event, ShutdownWanted
from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.rig import API


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"", ShutdownWanted()),
        (b"{}", ShutdownWanted()),
        (b'{"proxy": true}', ShutdownWanted(proxy=True)),
        (b'{"proxy": false, "servers": true}', ShutdownWanted(proxy=False, servers=True)),
    ],
)
async def test_the_hub_is_told_what_ends_with_it(
    hub: TrialHub, clients: Clients, body: bytes, wanted: ShutdownWanted
) -> None:
    seen: list[Event] = []
    hub.ctx.bus.listen(seen.append)
    reply = await clients["root"].post(f"{API}/shutdown", content=body)
    assert (reply.status_code, reply.json()) == (202, {"message": "Shutting down Hub"})
    assert wanted in seen


async def test_nothing_ends_for_who_may_not_ask(hub: TrialHub, clients: Clients) -> None:
    seen: list[Event] = []
    hub.ctx.bus.listen(seen.append)
    for caller in ("nobody", "ada", "server"):
        assert (await clients[caller].post(f"{API}/shutdown", json={"servers": True})).status_code == 403
    assert not any(isinstance(event, ShutdownWanted) for event in seen)
