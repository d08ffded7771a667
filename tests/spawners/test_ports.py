from __future__ import annotations

import socket
from pathlib import Path

import pytest

from carrel.lib import net
from carrel.lib.net import is_free, unlent_ports
from carrel.spawners import ports
from carrel.spawners.ports import Ports


def test_each_can_be_listened_on_and_is_given_once() -> None:
    ports = Ports()
    given = [ports.take("127.0.0.1") for _ in range(300)]
    assert len(set(given)) == len(given)
    assert set(given) <= set(unlent_ports())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", given[0]))


def test_one_that_somebody_listens_on_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        assert not is_free("127.0.0.1", port)
        assert not is_free("", port)
    assert is_free("127.0.0.1", port)


@pytest.mark.parametrize(
    ("lent", "ports"),
    [
        ("32768\t60999\n", range(20000, 32768)),
        ("1024 50000", range(50001, 65536)),
        ("1024 65535", range(0)),
        ("nonsense", range(0)),
    ],
)
def test_ports_are_those_that_no_connection_gets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lent: str, ports: range
) -> None:
    (tmp_path / "range").write_text(lent)
    monkeypatch.setattr(net, "_LENT", tmp_path / "range")
    assert unlent_ports() == ports
    assert is_free("127.0.0.1", Ports().take("127.0.0.1"))


def test_where_the_kernel_lends_all_none_is_given_twice_either(monkeypatch: pytest.MonkeyPatch) -> None:
    lent = iter([20001, 20001, 20001, 20002])
    monkeypatch.setattr(ports, "unlent_ports", lambda: range(0))
    monkeypatch.setattr(ports, "free_port", lambda _: next(lent))
    given = Ports()
    assert [given.take(""), given.take("")] == [20001, 20002]


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="address"):
        Ports().take("192.0.2.1")
