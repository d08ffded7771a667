"""The how-to pages say what the drivers do."""

from __future__ import annotations

import pytest

from carrel.proxy.base import Proxy
from carrel.proxy.haproxy import HAProxyProxy
from carrel.proxy.haproxy_config import Hub, routing_lines
from carrel.proxy.traefik import TraefikProxy
from tests.rigs.places import ROOT


def _page(name: str) -> str:
    return (ROOT / "docs" / "how-to" / f"{name}.md").read_text()


def test_the_lines_for_an_external_haproxy_are_those_of_our_own() -> None:
    map_file = "/srv/carrel/carrel-run/haproxy-routes.map"
    hub = Hub(address=("127.0.0.1", 8081), home="/hub/home", map_file=map_file)
    assert routing_lines(hub) in _page("haproxy")
    assert f'c.HAProxyProxy.map_file = "{map_file}"' in _page("haproxy")


@pytest.mark.parametrize(("name", "driver"), [("haproxy", HAProxyProxy), ("traefik", TraefikProxy)])
def test_every_setting_is_explained(name: str, driver: type[Proxy]) -> None:
    rows = [
        f"| `{name}` | `{trait.default()!r}` | {trait.help} |"
        for name, trait in sorted(driver.class_traits(config=True).items())
    ]
    assert "\n".join(rows) in _page(name)
