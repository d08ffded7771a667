"""Bodies of requests: read, decoded into their types, and refused with the name of what is wrong.

JSON that two readers could take for different things is refused: a field that stands twice. So is what no
database keeps (the character NUL, numbers of more than 64 bits) and what nobody means (hundreds of levels).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

from carrel.domain.errors import Invalid
from carrel.lib.redaction import escape_controls

#: How many characters of what was sent an answer shows.
SHOWN = 160
_MOST_LEVELS = 64
_BAD_JSON = "Invalid JSON in body of request"
#: Only a body that has one of these is looked through for what must not be in it.
_ODD = re.compile(rb"\\u0000|\d{19}")
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1

Decode = Callable[[bytes], Any]


async def read(request: Request) -> bytes:
    """Return the body; raise HTTPException (415) for one that is compressed."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"", "identity"}:
        raise HTTPException(415, f"Content-Encoding {shorten(coding)!r} is not understood: send plain JSON")
    return await request.body()


def decoder(kind: Any) -> Decode:
    """Return what decodes bodies of a type; it raises Invalid, with the field's name where there is one."""
    decode = msgspec.json.Decoder(kind).decode

    def decode_body(body: bytes) -> Any:
        try:
            value = decode(body)
            _refuse_odd(body)
        except msgspec.ValidationError as error:
            raise Invalid(shorten(str(error))) from None
        except UnicodeDecodeError:
            raise Invalid(f"{_BAD_JSON}: it is not UTF-8") from None
        except RecursionError:
            raise Invalid(f"{_BAD_JSON}: it is nested too deeply") from None
        except ValueError:
            raise Invalid(_BAD_JSON) from None
        return value

    return decode_body


def shorten(text: str, longest: int = SHOWN) -> str:
    """Return `text` on one line, its middle left out when it is long."""
    if len(text) > longest:
        half = longest // 2
        text = f"{text[:half]}…{text[-half:]}"
    return escape_controls(text)


def _refuse_odd(body: bytes) -> None:
    # Once more, and whole: the decoder above does not look into fields that its type does not have.
    value = _STRICT.decode(body.decode())
    if _ODD.search(body) or body.count(b"[") + body.count(b"{") > _MOST_LEVELS:
        _look_through(value)


def _no_number(text: str) -> Any:
    raise ValueError(text)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twin = next(name for number, name in enumerate(names) if name in names[:number])
        raise Invalid(f"The field {shorten(twin)!r} stands twice in the body")
    return found


_STRICT = json.JSONDecoder(object_pairs_hook=_without_twins, parse_constant=_no_number)


def _look_through(value: Any) -> None:
    """Raise Invalid for what is in no value that we keep; without recursion, for it may be deep."""
    waiting: list[tuple[str, Any, int]] = [("$", value, 0)]
    while waiting:
        where, each, level = waiting.pop()
        if level > _MOST_LEVELS:
            raise Invalid(f"{_BAD_JSON}: it is nested too deeply - at `{shorten(where)}`")
        if isinstance(each, dict):
            waiting += ((f"{where}.{name[:40]}", inner, level + 1) for name, inner in each.items())
            each = "".join(each)
        elif isinstance(each, list):
            waiting += ((f"{where}[{number}]", inner, level + 1) for number, inner in enumerate(each))
        if isinstance(each, str) and "\0" in each:
            raise Invalid(f"The character NUL stands in the body - at `{shorten(where)}`")
        if isinstance(each, int) and not _LOWEST <= each <= _HIGHEST:
            raise Invalid(f"A number of more than 64 bits stands in the body - at `{shorten(where)}`")
