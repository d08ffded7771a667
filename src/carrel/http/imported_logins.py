"""Log-in cookies that JupyterHub signed, exchanged for ours on the way in: nobody else sees the old one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import Response

from carrel.core.context import HubContext
from carrel.core.imported_logins import exchange_login
from carrel.core.login import LoggedIn
from carrel.http.request import Connection, cookies
from carrel.http.sessions import LOGIN_COOKIE, SESSION_ID_COOKIE, login_secret, set_session, sign
from carrel.lib.signed_cookies import read_signed
from carrel.storage.base import StorageUnavailable

_MARKS = (f"{LOGIN_COOKIE}=2|".encode(), f'{LOGIN_COOKIE}="2|'.encode())
_LONGEST_ID = 255


async def settle(hub: HubContext, scope: Any, send: Any) -> tuple[Any, Any]:
    """Return scope and send for a request that is signed in with us, if its cookie is good for that.

    Only what `brings_one` says may have one is worth asking.
    """
    connection = HTTPConnection(scope)
    login = None
    if login_secret(connection) is None:
        # Without the database nobody is signed in; whoever answers says what that means.
        with suppress(StorageUnavailable):
            login = await _exchange(hub, connection)
    if login is None:
        return scope, send
    response = Response()
    set_session(response, connection, login)
    given = [pair for pair in response.raw_headers if pair[0] == b"set-cookie"]

    async def send_with_cookies(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *given]}
        await send(message)

    value = f"{LOGIN_COOKIE}={sign(login.secret, hub.settings.cookie_secret)}"
    return {**scope, "headers": _with_cookie(scope["headers"], value.encode())}, send_with_cookies


def brings_one(scope: Any) -> bool:
    """Tell whether a request may have such a cookie; almost none has."""
    if scope["type"] != "http":
        return False
    return any(key == b"cookie" and any(mark in line for mark in _MARKS) for key, line in scope["headers"])


async def _exchange(hub: HubContext, connection: Connection) -> LoggedIn | None:
    session_id = next(iter(cookies(connection, SESSION_ID_COOKIE)), "")
    for text in cookies(connection, LOGIN_COOKIE):
        found = read_signed(text, LOGIN_COOKIE, hub.settings.cookie_secret)
        if found is None or not found.value.isascii() or not 0 < len(found.value) <= _LONGEST_ID:
            continue
        login = await exchange_login(hub, text, found.value.decode("ascii"), found.signed, session_id)
        if login is not None:
            return login
    return None


def _with_cookie(headers: Any, value: bytes) -> list[tuple[bytes, bytes]]:
    """Return a request's headers with our log-in cookie before theirs, which nobody here signed."""
    return [
        (key, value + b"; " + line if key == b"cookie" and any(mark in line for mark in _MARKS) else line)
        for key, line in headers
    ]
