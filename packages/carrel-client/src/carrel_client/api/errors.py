"""Why a call did not succeed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carrel_client.api.models import Failure


class HubError(Exception):
    """The hub did not do it; `status` is that of its answer, 0 without one, `message` fit for a person."""

    def __init__(self, status: int, message: str, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.message = message
        self.answer = answer or {}
        """All that the hub said."""


class BadRequest(HubError):
    """400 and other refusals: what was asked for makes no sense now."""


class Forbidden(HubError):
    """401, 403: the token is unknown, or its scopes do not go that far."""


class NotFound(HubError):
    """404: there is no such thing, or none that the token may see."""


class Conflict(HubError):
    """409: it exists already."""


class Throttled(HubError):
    """429: too much at once; later it may work."""


class HubUnavailable(HubError):
    """The hub did not answer, or with an error of its own (5xx)."""


class StartFailed(HubError):
    """A server's start has failed; `failure` says why, where the hub does (Carrel)."""

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(500, failure.message if failure else message)
        self.failure = failure


_KINDS: dict[int, type[HubError]] = {
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: Throttled,
}


def error(status: int, message: str, answer: Mapping[str, Any]) -> HubError:
    """Return the exception for an answer."""
    kind = HubUnavailable if status >= 500 else _KINDS.get(status, BadRequest)
    return kind(status, message, answer)
