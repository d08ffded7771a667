"""Moving the proxy: what can be is, the rest is refused with a sentence and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.core.routes import move_proxy
from carrel.domain.errors import Invalid, Unavailable
from carrel.proxy.base import ProxyError
from carrel.proxy.haproxy import HAProxyProxy
from carrel.proxy.traefik import TraefikProxy
from carrel.testing.fakes import FakeProxy
from carrel.testing.hub import TrialHub


class _Movable(FakeProxy):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.places: list[tuple[str | None, str | None]] = []

    async def move(self, api_url: str | None, auth_token: str | None) -> None:
        if api_url == "http://nobody":
            raise ProxyError("no answer from http://nobody")
        self.places.append((api_url, auth_token))
        self.table.clear()


@pytest.fixture
def proxy(hub: TrialHub) -> _Movable:
    """A proxy in the place of the hub's that can be moved."""
    movable = _Movable(public_url=hub.proxy.public_url, hub_url=hub.proxy.hub_url)
    object.__setattr__(hub.ctx, "proxy", movable)
    return movable


async def test_a_proxy_that_was_moved_has_the_routes(hub: TrialHub, proxy: _Movable) -> None:
    await hub.start()
    await move_proxy(hub.ctx, await hub.find("root"), "http://127.0.0.1:7", "secret")
    assert proxy.places == [("http://127.0.0.1:7", "secret")]
    assert proxy.specs() == {"/user/ada/"}


async def test_nothing_to_move_repairs_the_routes(hub: TrialHub, proxy: _Movable) -> None:
    await hub.start()
    proxy.lose_routes()
    await move_proxy(hub.ctx, await hub.find("root"))
    assert (proxy.places, proxy.specs()) == ([], {"/user/ada/"})


@pytest.mark.parametrize(
    "place",
    ["", "127.0.0.1:8001", "ftp://x", "http://", "http://x:99999", "http://u:p@x", "http://x?y", "x y"],
)
async def test_what_is_no_address(hub: TrialHub, proxy: _Movable, place: str) -> None:
    with pytest.raises(Invalid, match="api_url must be the address"):
        await move_proxy(hub.ctx, await hub.find("root"), place)
    assert proxy.places == []


async def test_what_does_not_answer(hub: TrialHub, proxy: _Movable) -> None:
    with pytest.raises(Unavailable, match="Nothing was changed: no answer"):
        await move_proxy(hub.ctx, await hub.find("root"), "http://nobody")


@pytest.mark.parametrize("kind", [HAProxyProxy, TraefikProxy, FakeProxy])
async def test_what_cannot_be_moved_says_so(hub: TrialHub, kind: type[Any]) -> None:
    object.__setattr__(hub.ctx, "proxy", kind())
    with pytest.raises(Invalid, match=f"{kind.__name__} cannot be moved while the hub runs"):
        await move_proxy(hub.ctx, await hub.find("root"), "http://127.0.0.1:7")
