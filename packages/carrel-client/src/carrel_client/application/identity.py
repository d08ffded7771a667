"""Who a request is from, as the application is told: in plain words, and signed for those who check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from itsdangerous import BadData, URLSafeTimedSerializer

from carrel_client.auth.hub import Visitor

KEY_VARIABLE = "CARREL_IDENTITY_KEY"
"""Where an application finds the key of the signature."""
SIGNED_HEADER = "X-Carrel-Identity"
NAME_HEADER = "X-Forwarded-User"
GROUPS_HEADER = "X-Forwarded-Groups"
_SALT = "carrel application identity"
_SECONDS = 60
_PLAIN = " !#$&'()*+-./:=?@[]^_`{|}~"


@dataclass(frozen=True, slots=True)
class Identity:
    """A visitor as an application knows them."""

    name: str
    groups: tuple[str, ...] = ()


def identity_headers(visitor: Visitor, key: str) -> list[tuple[str, str]]:
    """Return the headers that tell an application who is there; what is not ASCII is percent-encoded."""
    groups = ",".join(quote(group, safe=_PLAIN) for group in visitor.groups)
    signed = _serializer(key).dumps({"name": visitor.name, "groups": list(visitor.groups)})
    plain = [(NAME_HEADER, quote(visitor.name, safe=_PLAIN)), (GROUPS_HEADER, groups)]
    return [*((name, value) for name, value in plain if value), (SIGNED_HEADER, str(signed))]


def read_identity(headers: Mapping[str, str], key: str, seconds: int = _SECONDS) -> Identity | None:
    """Return who a request is from, None when its signature is missing, wrong or older than `seconds`.

    `headers` are the request's, names in any case; `key` is the application's `CARREL_IDENTITY_KEY`.
    """
    named = {name.lower(): value for name, value in headers.items()}
    try:
        found: Any = _serializer(key).loads(named.get(SIGNED_HEADER.lower(), ""), max_age=seconds)
    except BadData:
        return None
    return Identity(str(found["name"]), tuple(map(str, found["groups"])))


def _serializer(key: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, salt=_SALT)
