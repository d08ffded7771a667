"""The refusal of a message that must not be passed on."""

from __future__ import annotations


class RefusedError(Exception):
    """A request or an answer that is malformed, ambiguous or too large."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
