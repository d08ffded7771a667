"""Errors become answers here: JSON for the API, a page for people, and never a traceback for either."""

from __future__ import annotations

import logging
import math
from http import HTTPStatus
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException
from litestar.response import Redirect
from litestar.types import ExceptionHandlersMap

from carrel.domain.errors import (
    CarrelError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OverLimit,
    Unauthenticated,
    Unavailable,
)
from carrel.http.csrf import StaleForm
from carrel.http.pages import pages_of
from carrel.http.request import facts_of, hub_of, is_api
from carrel.lib.urls import with_arguments

AnyRequest = Request[Any, Any, Any]

_STATUS: dict[type[CarrelError], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 400,
    Unauthenticated: 403,
    Forbidden: 403,
    OverLimit: 429,
    Unavailable: 503,
}


def error_handlers() -> ExceptionHandlersMap:
    """Return the handlers that the application installs; nothing else turns errors into answers."""
    return {CarrelError: answer_expected, HTTPException: answer_framework, Exception: answer_unexpected}


def status_of(error: CarrelError) -> int:
    """Return the status for a domain error; a face that wants another answers the error itself."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 500)


def answer_expected(request: AnyRequest, error: CarrelError) -> Response[Any]:
    """Answer what a use case raised. A visitor of a page who is nobody yet is sent to sign in."""
    if isinstance(error, Unauthenticated) and facts_of(request.scope).method in {"GET", "HEAD"}:
        hub = hub_of(request)
        if not is_api(facts_of(request.scope).path, hub.settings.base_url):
            return Redirect(login_url(request))
    response = answer(request, status_of(error), str(error), retry=isinstance(error, StaleForm))
    if isinstance(error, OverLimit):
        response.set_header("Retry-After", str(math.ceil(error.retry_after)))
    return response


def answer_framework(request: AnyRequest, error: HTTPException) -> Response[Any]:
    """Answer what the framework raised: no such route or method, a body that does not fit."""
    if error.status_code >= 500:
        return answer_unexpected(request, error)
    bare = isinstance(error, NotFoundException | MethodNotAllowedException)
    response = answer(request, error.status_code, None if bare else _explain(error))
    for key, value in (error.headers or {}).items():
        response.set_header(key, value)
    return response


def answer_unexpected(request: AnyRequest, error: Exception) -> Response[Any]:
    """Answer a bug: the log gets all of it, the visitor a number to quote."""
    facts = facts_of(request.scope)
    logging.getLogger("carrel.http").error("Request %s failed", facts.id, exc_info=error)
    return answer(request, 500, f"Something went wrong here. The log has it as request {facts.id}.")


def answer(request: AnyRequest, status: int, message: str | None, *, retry: bool = False) -> Response[Any]:
    """Return `{"status", "message"}` on API paths, else the error page."""
    pages = pages_of(request)
    if pages is None or is_api(facts_of(request.scope).path, hub_of(request).settings.base_url):
        return Response(
            {"status": status, "message": message}, status_code=status, media_type="application/json"
        )
    return pages.error(request, status, message or "", retry=retry)


def login_url(request: AnyRequest) -> str:
    """Return where this visitor signs in, to come back here afterwards."""
    facts = facts_of(request.scope)
    return with_arguments(f"{hub_of(request).settings.base_url}hub/login", next=facts.url)


def _explain(error: HTTPException) -> str:
    """Return one sentence for a request that the framework found wrong."""
    problems = error.extra if isinstance(error.extra, list) else []
    parts = [
        f"{problem['key']}: {problem['message']}" if "key" in problem else str(problem.get("message", ""))
        for problem in problems
        if isinstance(problem, dict)
    ]
    return "; ".join(part for part in parts if part) or error.detail or HTTPStatus(error.status_code).phrase
