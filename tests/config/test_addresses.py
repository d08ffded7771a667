"""Where the proxy, servers and browsers find the hub, as the settings come to say it."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.config.addresses import proxy_to_hub, public_origin, server_to_hub
from carrel.config.schema import Settings

SOCKET = "http+unix://%2Frun%2Fhub.sock"


@pytest.mark.parametrize(
    ("values", "proxy", "servers"),
    [
        ({}, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ({"hub_ip": ""}, "http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ({"hub_ip": "::1"}, "http://[::1]:8081", "http://[::1]:8081"),
        ({"hub_ip": "", "hub_connect_ip": "hub"}, "http://hub:8081", "http://hub:8081"),
        ({"hub_connect_ip": "hub", "hub_connect_port": 80}, "http://hub:80", "http://hub:80"),
        ({"hub_connect_url": "http://hub:80/"}, "http://hub:80", "http://hub:80"),
        ({"hub_connect_url": "https://hub.example"}, "https://hub.example", "https://hub.example"),
        ({"hub_bind_url": SOCKET}, SOCKET, "http://127.0.0.1:8000"),
        ({"hub_bind_url": "unix+http://%2Frun%2Fhub.sock"}, SOCKET, "http://127.0.0.1:8000"),
        ({"hub_bind_url": SOCKET, "hub_connect_url": "http://hub:9"}, SOCKET, "http://hub:9"),
        (
            {"hub_bind_url": SOCKET, "public_url": "https://hub.example.org/jh/"},
            SOCKET,
            "https://hub.example.org",
        ),
    ],
)
def test_where_the_hub_is(values: dict[str, Any], proxy: str, servers: str) -> None:
    settings = Settings(**values)
    assert (proxy_to_hub(settings), server_to_hub(settings)) == (proxy, servers)


def test_servers_elsewhere_reach_a_hub_that_listens_everywhere_by_its_machines_name() -> None:
    everywhere = Settings(hub_ip="0.0.0.0")
    assert server_to_hub(everywhere, "host1") == "http://host1:8081"
    assert server_to_hub(Settings(hub_ip="0.0.0.0", hub_connect_ip="hub"), "host1") == "http://hub:8081"
    assert server_to_hub(Settings(), "host1") == "http://127.0.0.1:8081"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"ip": "0.0.0.0"}, "http://127.0.0.1:8000"),
        ({"ip": "10.0.0.1", "port": 443, "ssl_cert": "x"}, "https://10.0.0.1:443"),
        ({"bind_url": "http+unix://%2Frun%2Fall.sock/jh/"}, "http+unix://%2Frun%2Fall.sock"),
    ],
)
def test_where_browsers_are_served(values: dict[str, Any], expected: str) -> None:
    assert public_origin(Settings(**values)) == expected
