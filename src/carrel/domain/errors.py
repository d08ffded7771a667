"""What use cases raise. The faces turn these into statuses in one place (`http/errors.py`).

CarrelError
├── NotFound         there is no such thing, or the caller may not know that there is
├── Conflict         it exists already, or its state forbids the request
├── Invalid          the request itself is wrong
├── Unauthenticated  nobody has proved who is asking
├── Forbidden        we know who is asking, and the answer is no
├── Unchangeable     it is there, and only the configuration can change it
├── OverLimit        a configured limit is reached; `retry_after` says when to come back
└── Unavailable      a back end does not answer now
"""

from __future__ import annotations


class CarrelError(Exception):
    """Base of all expected errors; `str(error)` is fit for the person who asked."""


class NotFound(CarrelError):
    """There is no such thing, or the caller may not know that there is."""


class Conflict(CarrelError):
    """It exists already, or its present state forbids the request."""


class Invalid(CarrelError):
    """The request is wrong whoever sends it; `field` names the part that is, where a form has several."""

    def __init__(self, message: str = "", *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class Unauthenticated(CarrelError):
    """Nobody has proved who is asking."""


class Forbidden(CarrelError):
    """The caller is known and may not do this."""


class Unchangeable(CarrelError):
    """It is there and may be looked at; only the configuration can change it."""


class OverLimit(CarrelError):
    """A configured limit is reached; `retry_after` is in seconds, `code` one of those in `domain/causes`."""

    def __init__(self, message: str, retry_after: float = 30.0, code: str = "") -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.code = code


class Unavailable(CarrelError):
    """A back end does not answer now; the same request may succeed later."""
