"""Errors become answers here: JSON for the API, a page for people, and never a traceback for either."""

from __future__ import annotations

import logging
import math

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from carrel.domain.errors import (
    CarrelError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OverLimit,
    Unauthenticated,
    Unavailable,
    Unchangeable,
)
from carrel.http.body import shorten
from carrel.http.csrf import StaleForm
from carrel.http.pages import pages_of
from carrel.http.request import facts_of, hub_of, is_api
from carrel.lib.urls import with_arguments
from carrel.storage.base import StorageUnavailable

_STATUS: dict[type[CarrelError], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 400,
    Unauthenticated: 403,
    Forbidden: 403,
    Unchangeable: 405,
    OverLimit: 429,
    Unavailable: 503,
}


#: When to come back while a back end is away, in seconds.
_RETRY_AFTER = "2"
#: Characters of a message. Some repeat what was sent, which may be long.
_LONGEST = 300


class NoSuchPage(NotFound):
    """Nothing is at this address, and there is nothing more to say."""


def answer_error(request: Request, error: Exception) -> Response:
    """Answer what a handler raised; nothing else turns errors into answers."""
    if isinstance(error, CarrelError):
        return answer_expected(request, error)
    if isinstance(error, StorageUnavailable):
        return answer_unavailable(request, error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        # A body that is not what its Content-Type says.
        return answer(request, error.status_code, error.detail)
    return answer_unexpected(request, error)


def status_of(error: CarrelError) -> int:
    """Return the status for a domain error; a face that wants another answers the error itself."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def answer_expected(request: Request, error: CarrelError) -> Response:
    """Answer what a use case raised. A visitor of a page who is nobody yet is sent to sign in."""
    looks = facts_of(request.scope).method in {"GET", "HEAD"}
    if isinstance(error, Unauthenticated) and looks and not _is_for_programs(request):
        return RedirectResponse(login_url(request), 302)
    code = error.code if isinstance(error, OverLimit) else ""
    retry = isinstance(error, StaleForm)
    text = str(error) if _is_for_programs(request) else error.for_people
    response = answer(request, status_of(error), text or None, retry=retry, code=code)
    if isinstance(error, OverLimit):
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(error, Unchangeable):
        response.headers["Allow"] = "GET"
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = _RETRY_AFTER
    return response


def answer_unavailable(request: Request, error: StorageUnavailable) -> Response:
    """Answer what the database could not be asked; whether a change was made may be unknown."""
    logging.getLogger("carrel.http").warning("Request %s failed: %s", facts_of(request.scope).id, error)
    response = answer(request, 503, "The database does not answer now. Please try again in a moment.")
    response.headers["Retry-After"] = _RETRY_AFTER
    return response


def answer_unexpected(request: Request, error: Exception) -> Response:
    """Answer a bug: the log gets all of it, the visitor a number to quote."""
    facts = facts_of(request.scope)
    logging.getLogger("carrel.http").error("Request %s failed", facts.id, exc_info=error)
    return answer(request, 500, f"Something went wrong here. The log has it as request {facts.id}.")


def answer(
    request: Request, status: int, message: str | None, *, retry: bool = False, code: str = ""
) -> Response:
    """Return `{"status", "message"}` on API paths, with `code` where there is one, else the error page."""
    message = message and shorten(message, _LONGEST)
    pages = pages_of(request)
    if pages is None or _is_for_programs(request):
        told = {"status": status, "message": message} | ({"code": code} if code else {})
        body = msgspec.json.encode(told)
        return Response(body, status, media_type="application/json")
    return pages.error(request, status, message or "", retry=retry)


def _is_for_programs(request: Request) -> bool:
    return is_api(facts_of(request.scope).path, hub_of(request).settings.base_url)


def login_url(request: Request) -> str:
    """Return where this visitor signs in, to come back here afterwards."""
    facts = facts_of(request.scope)
    return with_arguments(f"{hub_of(request).settings.base_url}hub/login", next=facts.url)
