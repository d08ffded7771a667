"""The kernel's table of sockets, as it writes it."""

from __future__ import annotations

import os
import socket

import pytest

from carrel.lib.listening import owners_at, parse_table

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:22B8 00000000:0000 0A 00000000:00000000 00:00000000 0     0        0 12345 1 0 100 0 0 10 0
   1: 0100007F:22B8 0100007F:9C40 01 00000000:00000000 00:00000000 0     0        0 12346 1 0 20 4 30 10 -1
   2: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 99 1 0
   3: short
"""


def test_only_listening_sockets_count() -> None:
    assert [(each.inode, each.port) for each in parse_table(TABLE)] == [("12345", 8888), ("99", 8080)]


@pytest.mark.real
@pytest.mark.parametrize(
    ("bound", "asked"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("::1", "::1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
    ],
)
def test_the_owner_of_a_socket_that_takes_connections_is_told(bound: str, asked: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in bound else socket.AF_INET) as listener:
        listener.bind((bound, 0))
        port = listener.getsockname()[1]
        assert owners_at(asked, port) == frozenset()
        listener.listen()
        assert owners_at(asked, port) == {os.geteuid()}


@pytest.mark.real
@pytest.mark.parametrize("asked", ["127.0.0.2", "192.0.2.1", "::1", "server.example"])
def test_nothing_is_said_of_other_addresses_machines_and_names(asked: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert owners_at(asked, listener.getsockname()[1]) == frozenset()
