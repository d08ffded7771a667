"""What one hub tells the others of a database: events, as NOTIFY carries them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

import msgspec

from carrel.domain.events import Event

CHANNEL = "carrel_events"
#: PostgreSQL takes less than 8000 bytes in one notification.
_LARGEST = 7900
_KINDS: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(Event)}


def encode_events(origin: str, events: Sequence[Event]) -> Iterator[str]:
    """Yield the texts that carry these events, in order; `origin` names the hub that they are from.

    An event too long for any text is left out: none that a transaction announces is.
    """
    head = f"[{msgspec.json.encode(origin).decode()}"
    parts: list[str] = []
    size = len(head.encode()) + 1
    for event in dict.fromkeys(events):
        part = msgspec.json.encode([type(event).__name__, msgspec.to_builtins(event)]).decode()
        length = len(part.encode()) + 1
        if length + len(head.encode()) + 1 > _LARGEST:
            continue
        if parts and size + length > _LARGEST:
            yield f"{head},{','.join(parts)}]"
            parts, size = [], len(head.encode()) + 1
        parts.append(part)
        size += length
    if parts:
        yield f"{head},{','.join(parts)}]"


def decode_events(text: str) -> tuple[str, list[Event]]:
    """Return who sent a text, and its events; kinds that only another release knows are left out.

    Raises msgspec.MsgspecError for what `encode_events` does not make.
    """
    origin, *parts = msgspec.json.decode(text, type=list[Any])
    events = [msgspec.convert(fields, _KINDS[name], strict=False) for name, fields in parts if name in _KINDS]
    return str(origin), events
