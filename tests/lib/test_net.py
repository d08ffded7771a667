from __future__ import annotations

import socket

import pytest

from carrel.lib.net import free_port, join_host, reachable


@pytest.mark.parametrize("ip", ["", "*", "127.0.0.1", "0.0.0.0", "::1"])
def test_a_free_port_can_be_listened_on(ip: str) -> None:
    port = free_port(ip)
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind(("" if ip == "*" else ip, port))
        assert listener.getsockname()[1] == port


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="address"):
        free_port("192.0.2.1")


@pytest.mark.parametrize(
    ("ip", "reached"),
    [("", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.1.2.3", "10.1.2.3"), ("host", "host")],
)
def test_what_listens_everywhere_is_reached_at_loopback(ip: str, reached: str) -> None:
    assert reachable(ip) == reached


def test_addresses_in_urls() -> None:
    assert (join_host("127.0.0.1", 1), join_host("::1", 2)) == ("127.0.0.1:1", "[::1]:2")
