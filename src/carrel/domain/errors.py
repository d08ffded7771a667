"""What use cases raise. The faces turn these into statuses in one place (`http/errors.py`).

CarrelError
├── NotFound         there is no such thing, or the caller may not know that there is
│   └── NoAccess     one of these, for want of a scope
├── Conflict         it exists already, or its state forbids the request
├── Invalid          the request itself is wrong
├── Unauthenticated  nobody has proved who is asking
├── Forbidden        we know who is asking, and the answer is no
│   └── LacksScope   for want of a scope
├── Unchangeable     it is there, and only the configuration can change it
├── OverLimit        a configured limit is reached; `retry_after` says when to come back
└── Unavailable      a back end does not answer now
"""

from __future__ import annotations

from collections.abc import Collection


class CarrelError(Exception):
    """Base of all expected errors; `str(error)` is fit for whoever asked."""

    @property
    def for_people(self) -> str:
        """What a page says of it, where the API has words for programs."""
        return str(self)


class NotFound(CarrelError):
    """There is no such thing, or the caller may not know that there is."""


class NoAccess(NotFound):
    """The caller holds a scope for it, but for other resources than this one, which may not even exist."""

    def __init__(self) -> None:
        super().__init__("No access to resources or resources not found")

    @property
    def for_people(self) -> str:
        return "It does not exist, or you may not have access to it."


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


class LacksScope(Forbidden):
    """The caller holds none of the scopes, any of which would do."""

    def __init__(self, scopes: Collection[str]) -> None:
        self.scopes = ", ".join(scopes)
        super().__init__(f"Action is not authorized with current scopes; requires any of [{self.scopes}]")

    @property
    def for_people(self) -> str:
        return f"This takes a right that you do not have: {self.scopes}."


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
