"""Bodies that nobody sends in good faith, for every endpoint that takes one."""

from __future__ import annotations

from carrel.api.routes import ENDPOINTS

MEGABYTE = 1024 * 1024

#: No endpoint takes any of these.
MALFORMED: dict[str, bytes] = {
    "half an object": b'{"admin": tru',
    "two values": b"{}{}",
    "a word": b"admin",
    "NaN": b"NaN",
    "NaN inside": b'{"expires_in": NaN}',
    "a number beyond floats": b'{"x": 1e999}',
    "a number of 5000 digits": b'{"x": ' + b"9" * 5000 + b"}",
    "a number of 30 digits": b'{"x": ' + b"9" * 30 + b"}",
    "a comment": b"{/* */}",
    "UTF-16": '{"x": 1}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "a byte that is no UTF-8": b'{"x": "\xff"}',
    "a key that is no UTF-8": b'{"\xff": 1}',
    "half of a pair": rb'{"x": "\ud800"}',
    "NUL": b"\x00",
    "NUL in a text": rb'{"x": "\u0000"}',
    "NUL in a key": rb'{"\u0000": 1}',
    "a control character": b'{"x": "\x01"}',
    "the same field twice": b'{"x": 1, "x": 2}',
    "the same field twice, inside": b'{"x": {"y": 1, "y": 2}}',
    "100,000 lists": b"[" * 100_000,
    "100,000 objects": b'{"x":' * 100_000,
    "a hundred levels": b'{"x":' + b"[" * 100 + b"]" * 100 + b"}",
    "an array": b"[1, 2]",
    "a text": b'"' + b"x" * 1000 + b'"',
    "a number": b"7",
    "true": b"true",
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 40,
    "a form": b"username=ada&password=secret",
    "XML": b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>",
    "more than is allowed": b'{"x": "' + b"x" * MEGABYTE + b'"}',
}

#: No endpoint whose type forbids unknown fields takes any of these.
MISTYPED: dict[str, bytes] = {
    "a field of a megabyte": b'{"' + b"f" * (MEGABYTE - 100) + b'": 1}',
    "100,000 users": b'{"usernames": [' + b'"a",' * 99_999 + b'"a"], "users": 1, "groups": 1, "servers": 1}',
    "numbers for all": b'{"admin": 1, "usernames": 1, "users": 1, "groups": 1, "name": 1, "servers": 1,'
    b' "note": 1, "proxy": 1}',
}

#: What these take is an object of the users' own.
FREE = {"start_server", "stop_server", "set_properties"}
#: These overlook fields that they do not know, as JupyterHub does, whatever their values are.
LENIENT = {"make_token", "move_proxy", "shutdown", "stop_server"}
_OVERLOOKED = {"a number beyond floats", "half of a pair"}


def with_bodies() -> list[tuple[str, str, dict[str, bytes]]]:
    """Return method and path of every endpoint that takes JSON, and the bodies that it must refuse."""
    return [
        (endpoint.methods[0], endpoint.paths[0].replace(":str", ""), _bodies(endpoint.handler.__name__))
        for endpoint in ENDPOINTS
        if "data" in endpoint.handler.__annotations__ or endpoint.body is not None
    ]


def _bodies(name: str) -> dict[str, bytes]:
    if name in LENIENT:
        return {label: body for label, body in MALFORMED.items() if label not in _OVERLOOKED}
    return MALFORMED if name in FREE else MALFORMED | MISTYPED
