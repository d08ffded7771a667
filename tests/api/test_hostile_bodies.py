"""Whatever stands in a body: 4xx, in few words, with the field's name; and what is well-meant still goes."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from carrel.testing.hub import TrialHub
from tests.api.conftest import Clients
from tests.api.hostile import MEGABYTE, with_bodies
from tests.api.rig import API

_LONGEST = 450
_NAMES = {"name": "ada", "group": "class", "server": "lab", "owner": "ada", "service": "s"}


def _filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: _NAMES.get(match[1], "x"), path)


def _judge(reply: httpx.Response, label: str) -> None:
    assert 400 <= reply.status_code < 500, (label, reply.status_code)
    assert len(reply.content) < _LONGEST, (label, reply.text)
    assert reply.json()["message"], label


@pytest.mark.parametrize(
    ("method", "path", "bodies"), with_bodies(), ids=lambda value: value if isinstance(value, str) else ""
)
async def test_hostile_bodies_are_refused_in_few_words(
    clients: Clients, caplog: pytest.LogCaptureFixture, method: str, path: str, bodies: dict[str, bytes]
) -> None:
    caplog.set_level(logging.DEBUG)
    for label, body in bodies.items():
        reply = await clients["root"].request(method, API + _filled(path), content=body)
        _judge(reply, label)
        assert (reply.status_code == 413) == (label == "more than is allowed"), label
    assert max(len(record.getMessage()) for record in caplog.records) < _LONGEST


@pytest.mark.parametrize(
    ("method", "path", "body", "names"),
    [
        ("POST", "/users", b'{"usernames": ["a", 7]}', "$.usernames[1]"),
        ("POST", "/users", b'{"usernames": "ada"}', "$.usernames"),
        ("POST", "/users", b'{"usernames": ["' + b"x" * 5000 + b'"]}', "$.usernames[0]"),
        ("POST", "/users", b'{"usernames": [' + b'"a",' * 20_000 + b'"b"]}', "$.usernames"),
        ("POST", "/users", b'{"surprise": 1}', "surprise"),
        ("POST", "/users", b'{"admin": true, "admin": false}', "'admin' stands twice"),
        ("PATCH", "/users/bea", rb'{"name": "a\u0000b"}', "$.name"),
        ("PUT", "/groups/class/properties", rb'{"deep": {"er": ["\u0000"]}}', "$.deep.er[0]"),
        ("PUT", "/groups/class/properties", b'{"size": ' + b"9" * 25 + b"}", "$.size"),
        ("POST", "/users/ada/tokens", b'{"note": "' + b"n" * 2000 + b'"}', "$.note"),
        ("POST", "/users/ada/tokens", b'{"note": "\xff"}', "UTF-8"),
        ("POST", "/users/ada/tokens", b'{"scopes": "all"}', "$.scopes"),
        ("POST", "/users/bea/server", b'{"user_options": {"x": 1, "x": 1}}', "'x' stands twice"),
        ("POST", "/users/bea/server", b"{" + b'"x":{' * 90 + b"}" * 91, "nested too deeply"),
        ("POST", "/users/ada/activity", b'{"servers": {"": {"last_activity": 5}}}', "$.servers"),
    ],
)
async def test_the_message_names_what_is_wrong(
    clients: Clients, method: str, path: str, body: bytes, names: str
) -> None:
    reply = await clients["root"].request(method, API + path, content=body)
    _judge(reply, names)
    assert names in reply.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PUT", "/groups/class/properties", rb'{"a": "\\u0000 as a text", "b": 18446744073709551615}', 200),
        ("PUT", "/groups/class/properties", b'{"x":' + b"[" * 60 + b"]" * 60 + b"}", 200),
        ("PUT", "/groups/class/properties", '{"größe": "∞", "x": -9223372036854775808}'.encode(), 200),
        ("POST", "/users/bea/server", b" \n null \n ", 201),
        ("POST", "/users/ada/tokens", '{"note": "für ☂"}'.encode(), 201),
    ],
)
async def test_what_is_unusual_and_right_goes(
    clients: Clients, method: str, path: str, body: bytes, status: int
) -> None:
    reply = await clients["root"].request(method, API + path, content=body)
    assert reply.status_code == status, reply.text


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "x" * 500, ""],
)
async def test_json_by_another_name_is_still_json(clients: Clients, kind: str) -> None:
    """As JupyterHub: programs have a token, and many say the wrong type, or none."""
    reply = await clients["root"].post(
        f"{API}/users/ada/tokens", content=b'{"note": "n"}', headers={"Content-Type": kind}
    )
    assert reply.status_code == 201


@pytest.mark.parametrize("coding", ["gzip", "br", "deflate, gzip", "x" * 5000])
async def test_a_compressed_body_is_refused_by_its_name(clients: Clients, coding: str) -> None:
    reply = await clients["root"].post(f"{API}/users", content=b"{}", headers={"Content-Encoding": coding})
    assert reply.status_code == 415
    _judge(reply, coding)
    assert "Content-Encoding" in reply.json()["message"]


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65536


async def test_a_body_without_end_is_refused_while_it_comes(clients: Clients) -> None:
    reply = await clients["root"].post(f"{API}/users", content=_endless())
    assert reply.status_code == 413
    assert str(MEGABYTE) in reply.json()["message"]


_LONG = "x" * 10_000


@pytest.mark.parametrize(
    "path",
    [
        f"/users/{_LONG}",
        f"/users/{_LONG}/server",
        f"/users/{_LONG}/tokens",
        f"/users/ada/tokens/{_LONG}",
        "/users/ada/tokens/a" + "9" * 18,
        "/users/ada/tokens/a" + "9" * 400,
        f"/groups/{_LONG}",
        f"/authorizations/token/{_LONG}",
        f"/authorizations/cookie/jupyterhub-hub-login/{_LONG}",
        "/users/%00",
        "/groups/a%00b",
        "/users/ada/tokens/%00",
        "/users/%ff%fe",
        "/users/%ED%A0%80",
        "/users/ada%0d%0aX-Evil:1",
        f"/{_LONG}",
        "/users?name_filter=%00",
        "/users?state=" + _LONG,
        "/users?sort=" + _LONG,
        "/users?offset=" + "9" * 400,
        "/users?limit=%00",
        "/users?limit=" + _LONG,
        "/users?offset=1e3",
        "/users?offset=NaN",
        "/groups?limit=0x10",
    ],
)
async def test_hostile_addresses(clients: Clients, caplog: pytest.LogCaptureFixture, path: str) -> None:
    caplog.set_level(logging.DEBUG)
    reply = await clients["root"].get(API + path)
    assert reply.status_code in {400, 404}
    assert len(reply.content) < _LONGEST
    assert all(
        len(record.getMessage()) < _LONGEST for record in caplog.records if record.name[:6] == "carrel"
    )


async def test_a_name_of_a_megabyte_logs_nobody_in(hub: TrialHub, clients: Clients) -> None:
    body = {"auth": {"username": "u" * 900_000, "password": "p"}}
    reply = await clients["nobody"].post(f"{API}/users/ada/tokens", json=body)
    assert reply.status_code == 403
    assert len(reply.content) < _LONGEST
