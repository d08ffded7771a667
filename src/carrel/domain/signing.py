"""Keys that sign what the hub says about people, and when one takes over from another.

Who checks signatures keeps the published keys for a while. So a key is published a day before it signs, and a
week after it has signed last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from carrel.lib.clock import Timestamp

_DAY = 86400.0
#: How long a key signs, how long it is shown before that and afterwards, in seconds.
SIGNS = 90 * _DAY
SHOWN_BEFORE = _DAY
SHOWN_AFTER = 7 * _DAY


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, as PEM text."""

    id: str
    private: str = field(repr=False)
    created: Timestamp


def signing_key(keys: Sequence[SigningKey], now: Timestamp) -> SigningKey | None:
    """Return the key that signs at `now`; `keys` are in the order of their age, the oldest first.

    It is the youngest that has been shown for long enough. The very first one signs at once.
    """
    known = [key for key in keys if key.created <= now - SHOWN_BEFORE]
    return known[-1] if known else keys[0] if keys else None


def new_key_due(keys: Sequence[SigningKey], now: Timestamp) -> bool:
    """Tell whether a key has to be made, to take over in a day."""
    return not keys or keys[-1].created <= now - SIGNS


def shown(keys: Sequence[SigningKey], now: Timestamp) -> list[SigningKey]:
    """Return the keys to be published; the others are no longer needed."""
    since = now - SHOWN_BEFORE - SHOWN_AFTER
    # A key has signed last when its successor took over.
    return [key for key, successor in pairwise(keys) if successor.created > since] + list(keys[-1:])
