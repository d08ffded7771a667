"""Secrets at rest: JSON, encrypted and authenticated with keys that are kept elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

KEY_LENGTH = 32


class NoKeys(Exception):
    """There is no key to seal anything with, or to open it."""


class Unreadable(Exception):
    """None of the keys opens it."""


class Sealer:
    """Seals with the first of its keys (32 bytes each) and opens what any of them has sealed.

    What it makes are Fernet tokens of JSON, as JupyterHub's.
    """

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._keys = tuple(keys)

    @property
    def has_keys(self) -> bool:
        """Whether anything can be sealed."""
        return bool(self._keys)

    def seal(self, value: Any) -> str:
        """Return a JSON-like value as a text without meaning; raise NoKeys without keys."""
        return self._fernet.encrypt(msgspec.json.encode(value)).decode()

    def open(self, text: str) -> Any:
        """Return what `seal` was given; raise NoKeys without keys, Unreadable with the wrong ones."""
        from cryptography.fernet import InvalidToken

        try:
            return msgspec.json.decode(self._fernet.decrypt(text.encode()))
        except (InvalidToken, ValueError):
            raise Unreadable("None of the keys opens it.") from None

    @cached_property
    def _fernet(self) -> MultiFernet:
        if not self._keys:
            raise NoKeys("There are no keys.")
        # Most hubs keep no auth state, and a start-up need not wait for it.
        from cryptography.fernet import Fernet, MultiFernet

        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in self._keys])
