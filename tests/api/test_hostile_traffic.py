"""Hostile bodies over real HTTP: each is refused, the hub's memory stays where it was, and it serves on."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.hostile import MALFORMED, MEGABYTE, MISTYPED
from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
_BODIES = MALFORMED | MISTYPED
#: What the hub's memory may grow by at any moment while it is sent hundreds of megabytes.
_MOST_GROWTH = 24 * MEGABYTE
_LONGEST_LINE = 600
_USERS = "api/users"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("hostile")
    with HubProcess(carrel(), directory, class_config(directory, STUB)) as running:
        assert running.visitor().log_in("admin", PASSWORD).location
        yield running


@pytest.fixture(scope="module")
def token(hub: HubProcess) -> str:
    return hub.token("admin")


def _peak(hub: HubProcess) -> int:
    """Return the most memory that the hub had since `_forget_peak`, in bytes."""
    lines = Path(f"/proc/{hub.pid}/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) * 1024


def _forget_peak(hub: HubProcess) -> None:
    Path(f"/proc/{hub.pid}/clear_refs").write_text("5")


def _send(hub: HubProcess, head: str, *chunks: bytes) -> int:
    """Return the status of the answer to a request that is sent as it stands, however much of it is taken."""
    with socket.create_connection(("127.0.0.1", hub.ports.hub), timeout=20) as link:
        # The hub may answer and close before it has all.
        with contextlib.suppress(ConnectionError):
            link.sendall(head.encode("latin-1"))
            for chunk in chunks:
                link.sendall(chunk)
        link.settimeout(20)
        with contextlib.suppress(ConnectionError):
            line = link.makefile("rb").readline()
            return int(line.split()[1]) if line else 0
    return 0


def _head(token: str, method: str, path: str, *lines: str) -> str:
    head = (f"{method} /hub/{path} HTTP/1.1", "Host: hub", f"Authorization: token {token}", *lines, "", "")
    return "\r\n".join(head)


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _round(hub: HubProcess, token: str) -> None:
    for label, body in _BODIES.items():
        for path in (_USERS, "api/groups", "api/users/admin/activity"):
            status = _send(hub, _head(token, "POST", path, f"Content-Length: {len(body)}"), body)
            assert 400 <= status < 500, (label, path, status)
    endless = [_chunk(b" " * 65536)] * 64
    assert _send(hub, _head(token, "POST", _USERS, "Transfer-Encoding: chunked"), *endless) in {413, 0}
    assert _send(hub, _head(token, "POST", _USERS, f"Content-Length: {10 * MEGABYTE}"), b"x" * MEGABYTE) in {
        413,
        0,
    }
    form = "Content-Type: application/x-www-form-urlencoded"
    name = b"username=" + b"u" * (10 * MEGABYTE)
    head = _head("", "POST", "/../login", form, f"Content-Length: {len(name)}").replace(
        "/hub/api/../", "/hub/"
    )
    assert _send(hub, head, name) in {413, 0}
    assert _send(hub, _head(token, "GET", "api/users/" + "n" * 10_000)) in {400, 404, 414, 431}
    assert _send(hub, _head(token, "GET", "api/users?name_filter=" + "%00" * 3000)) in {400, 414, 431}


def test_memory_stays_flat_under_hostile_bodies(hub: HubProcess, token: str) -> None:
    # What is loaded and cached once is no growth.
    _round(hub, token)
    _forget_peak(hub)
    before = _peak(hub)
    for _ in range(4):
        _round(hub, token)
    assert _peak(hub) - before < _MOST_GROWTH
    reply = hub.api("GET", "users", token=token)
    assert [user["name"] for user in reply.json()] == ["admin"]
    assert max(map(len, hub.log.splitlines())) < _LONGEST_LINE


@pytest.mark.parametrize(
    ("lines", "chunks"),
    [
        (("Content-Length: 5", "Transfer-Encoding: chunked"), (_chunk(b"{}"), b"0\r\n\r\n")),
        (("Content-Length: -1",), (b"{}",)),
        (("Content-Length: 2", "Content-Length: 3"), (b"{}",)),
        (("Content-Length: 0x10",), (b"{}" * 8,)),
        (("Transfer-Encoding: chunked",), (b"zz\r\n{}\r\n",)),
        (("Content-Length: 99999999999999999999999999",), (b"{}",)),
    ],
    ids=["both", "negative", "two", "hexadecimal", "no chunk", "more than there is"],
)
def test_lies_about_the_length_are_refused(
    hub: HubProcess, token: str, lines: tuple[str, ...], chunks: tuple[bytes, ...]
) -> None:
    assert 400 <= _send(hub, _head(token, "POST", _USERS, *lines), *chunks) < 500


def test_the_limit_is_named(hub: HubProcess, token: str) -> None:
    reply = hub.api("POST", "users", token=token, body=b"x" * (MEGABYTE + 1))
    assert reply.status == 413
    assert str(MEGABYTE) in json.loads(reply.body)["message"]
