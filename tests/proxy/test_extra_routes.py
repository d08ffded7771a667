"""Routes of the deployer's own: which tables are good, and that they never hide what the hub serves."""

from __future__ import annotations

from pathlib import Path

import pytest
from traitlets import TraitError
from traitlets.config import Config

from carrel.config.plugins import check_plugins
from carrel.config.schema import Settings
from carrel.core.routes import wanted_routes
from carrel.proxy.base import Proxy
from carrel.testing.fakes import FakeProxy
from tests.http.hub import open_hub
from tests.web.test_server_pages import RUNNING


def proxy_with(table: object) -> Proxy:
    config = Config()
    config.Proxy.extra_routes = table
    return FakeProxy(config=config)


def test_paths_end_with_a_slash() -> None:
    assert proxy_with({"/docs": "http://127.0.0.1:9000", "hub.example/x/": "https://h"}).extra_routes == {
        "/docs/": "http://127.0.0.1:9000",
        "hub.example/x/": "https://h",
    }


@pytest.mark.parametrize(
    "table", [{"docs": "http://h"}, {"/docs": "h:9000"}, {"/docs": "ftp://h"}, {"/": "http://h:0"}, ["/docs"]]
)
def test_what_is_no_table_is_refused_with_what_one_looks_like(table: object) -> None:
    with pytest.raises(TraitError):
        _ = proxy_with(table).extra_routes
    config = Config()
    config.Proxy.extra_routes = table
    [problem] = check_plugins(Settings(plugins=config), [FakeProxy])
    assert problem.fatal
    assert "{'/docs/': 'http://127.0.0.1:9000'}" in problem.message


async def test_they_are_set_beside_the_hubs_own_and_hide_none_of_them(tmp_path: Path) -> None:
    async with open_hub(tmp_path) as hub:
        await hub.server("ada", **RUNNING)
        own = await wanted_routes(hub.ctx)
        assert "/user/ada/" in own
        hub.ctx.proxy.extra_routes = {"/docs": "http://127.0.0.1:9", "/": "http://h", "/user/ada": "http://h"}
        table = await wanted_routes(hub.ctx)
        assert table.pop("/docs/").target == "http://127.0.0.1:9"
        assert table == own
