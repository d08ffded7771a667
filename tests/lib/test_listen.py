"""Listening sockets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from carrel.lib.listen import CannotListen, PortInUse, bind_socket, listening_in


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


def test_a_socket_in_the_file_system_is_there_for_the_block(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    with listening_in(path, 0o640):
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        with pytest.raises(PortInUse, match=r"hub\.sock is in use"), listening_in(path, 0o600):
            pass
    assert not path.exists()


def test_a_socket_that_was_left_behind_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    path = tmp_path / "hub.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with listening_in(path, 0o600):
        assert path.is_socket()
    path.write_text("precious")
    with pytest.raises(PortInUse), listening_in(path, 0o600):
        pass
    assert path.read_text() == "precious"


def test_a_socket_where_there_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(CannotListen, match="No such file"), listening_in(tmp_path / "no" / "s", 0o600):
        pass
