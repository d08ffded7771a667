"""What every Proxy must do: derive a test class from ProxyConformance and give a `proxy` fixture.

    class TestMine(ProxyConformance):
        @pytest.fixture
        async def proxy(self): yield a started Proxy with an empty table, and close it

The test functions are coroutines: run them with pytest-asyncio's auto mode.
"""

from __future__ import annotations

import pytest

from carrel.domain.names import server_prefix
from carrel.domain.routes import Route
from carrel.proxy.base import Proxy

TARGET, OTHER = "http://127.0.0.1:9001", "http://127.0.0.1:9002"
NAMES = ("ada", "jörg", "a b", "me@home", "per%cent", "%41", "a+b", "q?x", "名前", "a;b=c", "~root")


async def targets(proxy: Proxy) -> dict[str, str]:
    """Return the table's targets by path, without the hub's own route."""
    table = await proxy.get_all_routes()
    return {spec: entry["target"] for spec, entry in table.items() if spec != "/"}


def route(name: str, target: str = TARGET) -> Route:
    """Return the route of a user's server."""
    return Route(server_prefix("/", name), target, {"user": name, "server_name": ""})


class ProxyConformance:
    """The rules."""

    async def test_a_new_table_is_empty(self, proxy: Proxy) -> None:
        assert await targets(proxy) == {}

    async def test_a_route_comes_and_goes(self, proxy: Proxy) -> None:
        await proxy.add_route("/user/ada/", TARGET, {"user": "ada"})
        assert await targets(proxy) == {"/user/ada/": TARGET}
        await proxy.delete_route("/user/ada/")
        assert await targets(proxy) == {}

    async def test_a_route_can_be_replaced(self, proxy: Proxy) -> None:
        await proxy.add_route("/user/ada/", TARGET, {})
        await proxy.add_route("/user/ada/", OTHER, {})
        assert await targets(proxy) == {"/user/ada/": OTHER}

    async def test_both_may_be_repeated(self, proxy: Proxy) -> None:
        for _ in range(2):
            await proxy.add_route("/user/ada/", TARGET, {})
        for _ in range(2):
            await proxy.delete_route("/user/ada/")
        assert await targets(proxy) == {}

    async def test_data_comes_back(self, proxy: Proxy) -> None:
        data = {"user": "ada", "server_name": "", "deep": {"list": [1, None, True]}, "text": "ü"}
        await proxy.add_route("/user/ada/", TARGET, data)
        entry = (await proxy.get_all_routes())["/user/ada/"]
        assert entry["routespec"] == "/user/ada/"
        assert entry["data"] == entry["data"] | data
        assert "target" not in entry["data"]

    @pytest.mark.parametrize("name", NAMES)
    async def test_names_keep_their_paths(self, proxy: Proxy, name: str) -> None:
        wanted = route(name)
        await proxy.add_route(wanted.spec, wanted.target, wanted.data)
        assert await targets(proxy) == {wanted.spec: TARGET}
        await proxy.delete_route(wanted.spec)
        assert await targets(proxy) == {}

    async def test_a_snapshot_is_the_table(self, proxy: Proxy) -> None:
        for old in ("ada", "bea", "carl"):
            await proxy.add_route(*_parts(route(old)))
        wanted = [route("ada"), route("bea", OTHER), *map(route, NAMES[1:])]
        await proxy.put_routes({each.spec: each for each in wanted})
        assert await targets(proxy) == {each.spec: each.target for each in wanted}
        await proxy.put_routes({})
        assert await targets(proxy) == {}

    async def test_a_longer_path_is_another_route(self, proxy: Proxy) -> None:
        await proxy.add_route("/user/ada/", TARGET, {})
        await proxy.add_route("/user/ada/gpu/", OTHER, {})
        await proxy.delete_route("/user/ada/")
        assert await targets(proxy) == {"/user/ada/gpu/": OTHER}

    async def test_starting_again_changes_nothing(self, proxy: Proxy) -> None:
        await proxy.add_route("/user/ada/", TARGET, {})
        assert await proxy.start() is False
        assert await targets(proxy) == {"/user/ada/": TARGET}


def _parts(each: Route) -> tuple[str, str, dict[str, object]]:
    return each.spec, each.target, dict(each.data)
