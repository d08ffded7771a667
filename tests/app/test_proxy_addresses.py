"""Whom the hub believes beside itself: the data plane that it steers elsewhere."""

from __future__ import annotations

import pytest

from carrel.app.web_app import proxy_addresses
from carrel.proxy.base import Proxy
from carrel.proxy.chp import ConfigurableHTTPProxy
from carrel.proxy.embedded import CarrelProxy


@pytest.mark.parametrize(
    ("proxy", "expected"),
    [
        (ConfigurableHTTPProxy(api_url="http://192.0.2.9:8001"), ["192.0.2.9"]),
        (ConfigurableHTTPProxy(api_url="http://[2001:db8::9]:8001"), ["2001:db8::9"]),
        (ConfigurableHTTPProxy(api_url="http://localhost:8001"), []),
        (CarrelProxy(api_url="http://192.0.2.9:8001", should_start=False), ["192.0.2.9"]),
        (CarrelProxy(api_url="http://192.0.2.9:8001"), []),
        (Proxy(should_start=False), []),
    ],
)
async def test_its_address_is_that_of_its_api(proxy: Proxy, expected: list[str]) -> None:
    assert await proxy_addresses(proxy) == expected
