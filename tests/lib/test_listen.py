"""Listening sockets."""

from __future__ import annotations

import pytest

from carrel.lib.listen import CannotListen, PortInUse, bind_socket


def test_a_taken_port_is_named() -> None:
    with bind_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port} is in use") as caught:
            bind_socket("127.0.0.1", port)
    assert caught.value.address == f"127.0.0.1:{port}"


def test_a_port_can_be_taken_again_at_once() -> None:
    with bind_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
    with bind_socket("127.0.0.1", port) as again:
        assert again.getsockname()[1] == port


def test_an_address_of_another_machine_is_not_in_use() -> None:
    with pytest.raises(CannotListen, match=r"cannot listen on 192\.0\.2\.1:0: ") as caught:
        bind_socket("192.0.2.1", 0)
    assert not isinstance(caught.value, PortInUse)
