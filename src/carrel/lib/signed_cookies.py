"""Cookies that Tornado signed: `2|1:0|10:SECONDS|LENGTH:NAME|LENGTH:VALUE|SIGNATURE` (its second format).

Each field but the last says how long it is. The value is base64, the signature HMAC-SHA256 over all before
it, in hex. `1:0` is the number of the key, of which there is one.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass

_FORM = re.compile(
    r"2\|1:0\|([0-9]{1,2}):([0-9]{1,12})\|([0-9]{1,3}):([!-{}~]{1,200})\|([0-9]{1,4}):([A-Za-z0-9+/=]*)\|([0-9a-f]{64})",
    re.ASCII,
)
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class SignedCookie:
    """What a cookie says, and when it was signed, in Unix seconds."""

    value: bytes
    signed: int


def read_signed(text: str, name: str, secret: bytes) -> SignedCookie | None:
    """Return what a cookie called `name` carries, None unless `secret` signed exactly this under that name.

    How old it may be is the caller's to say.
    """
    found = _FORM.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        return None
    signed_part = text[: found.start(7)]
    if not hmac.compare_digest(_signature(signed_part, secret), found[7]):
        return None
    fields = [(int(found[n]), found[n + 1]) for n in (1, 3, 5)]
    if any(length != len(field) for length, field in fields) or found[4] != name:
        return None
    try:
        return SignedCookie(base64.b64decode(found[6], validate=True), int(found[2]))
    except binascii.Error:
        return None


def write_signed(name: str, value: bytes, secret: bytes, moment: int) -> str:
    """Return a cookie that `read_signed` reads, signed at `moment`."""
    encoded = base64.b64encode(value).decode()
    head = f"2|1:0|{_field(str(moment))}|{_field(name)}|{_field(encoded)}|"
    return head + _signature(head, secret)


def _field(text: str) -> str:
    return f"{len(text)}:{text}"


def _signature(head: str, secret: bytes) -> str:
    return hmac.digest(secret, head.encode("ascii"), "sha256").hex()
