"""What a driver raises when it cannot do what it was asked."""

from __future__ import annotations

from carrel.domain.errors import CarrelError


class StartError(CarrelError):
    """A server cannot be started; the message is one sentence for its owner."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint
        """What to do about it, in one sentence."""
