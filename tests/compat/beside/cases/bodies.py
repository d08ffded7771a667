"""Bodies that nobody sends in good faith, to endpoints that read one."""

from __future__ import annotations

from tests.compat.beside.asking import Case, case, patch, post, put

_BODIES: dict[str, bytes] = {
    "half an object": b'{"usernames": ["',
    "two values": b"{}{}",
    "NaN": b'{"usernames": NaN}',
    "a byte that is no UTF-8": b'{"admin": "\xff"}',
    "a control character": b'{"usernames": ["\x01"]}',
    "an array": b'["usernames"]',
    "a text": b'"usernames"',
    "a number": b"7",
    "a number of 30 digits": b'{"usernames": ' + b"9" * 30 + b"}",
    "100,000 lists": b"[" * 100_000,
    "a form": b"usernames=ada",
    "gzip": b"\x1f\x8b\x08\x00",
    "an unknown field": b'{"surprise": 1}',
}
CASES: tuple[Case, ...] = (
    *(
        case(
            f"a body, {label}",
            post("/users", body),
            post("/groups", body),
            patch("/users/bea", body),
            post("/users/bea/activity", body),
        )
        for label, body in _BODIES.items()
    ),
    case(
        "a body, the same field twice",
        post("/users", b'{"usernames": ["ada"], "usernames": ["bea"]}'),
        patch("/users/bea", b'{"admin": false, "admin": false}'),
    ),
    case(
        "a body, compressed by its header",
        post("/users", {"usernames": ["ada"]}, headers={"Content-Encoding": "gzip"}),
    ),
    case(
        "a body, of another type",
        *(
            post("/users", {"usernames": ["ada"]}, headers={"Content-Type": kind})
            for kind in (
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/json; charset=utf-16",
            )
        ),
        post("/users", {"usernames": ["ada"]}, "nobody", headers={"Content-Type": "text/plain"}),
        put("/groups/nobodies/properties", [], headers={"Content-Type": "text/plain"}),
    ),
)
