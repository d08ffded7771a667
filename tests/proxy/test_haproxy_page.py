"""The how-to page says what the driver does."""

from __future__ import annotations

from carrel.proxy.haproxy import HAProxyProxy
from carrel.proxy.haproxy_config import Hub, routing_lines
from tests.rigs.places import ROOT

PAGE = (ROOT / "docs" / "how-to" / "haproxy.md").read_text()


def test_the_lines_for_an_external_haproxy_are_those_of_our_own() -> None:
    map_file = "/srv/carrel/carrel-run/haproxy-routes.map"
    hub = Hub(address=("127.0.0.1", 8081), home="/hub/home", map_file=map_file)
    assert routing_lines(hub) in PAGE
    assert f"c.HAProxyProxy.map_file = '{map_file}'" in PAGE


def test_every_setting_is_explained() -> None:
    rows = [
        f"| `{name}` | `{trait.default()!r}` | {trait.help} |"
        for name, trait in sorted(HAProxyProxy.class_traits(config=True).items())
    ]
    assert "\n".join(rows) in PAGE
