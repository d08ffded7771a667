"""What all operations of the API's description share: the text above them, errors, and who may ask how."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from carrel import JUPYTERHUB_VERSION
from carrel.domain.scope_catalog import Catalog
from carrel.http.sessions import LOGIN_COOKIE

#: Where a named schema stands.
REFERENCE = "#/components/schemas/{name}"

ABOUT = f"""\
JupyterHub {JUPYTERHUB_VERSION}'s REST API, as Carrel serves it.

- Who asks sends an API token in `Authorization: token SECRET` (or `Bearer`). What a token may do is said by
  its scopes; what the caller may not see is absent from answers, and what they may not know of is 404.
- An error is `{{"status", "message"}}` with the same status.
- Moments are UTC in ISO 8601 with microseconds and `Z`.
- Lists come a page at a time: `offset` and `limit` (at most 200). With
  `Accept: application/jupyterhub-pagination+json` a page says where the next one begins, without it a list is
  the bare array of the page.
- Every reply has `X-JupyterHub-Version` and `X-Request-Id`, which the hub's log has, too. `HEAD` is answered
  like `GET`, `OPTIONS` with 200, and a method that a path does not have with 405 and `Allow`.
"""

#: What comes with a status when it is an error. The body is always an `Error`.
ERRORS = {
    400: "The request is wrong: the message names the field, the argument, or what stands in the way.",
    403: "Nobody has proved who is asking, or they may not do this.",
    404: "There is no such thing, or the caller may not know that there is.",
    405: "This one is not to be changed so.",
    409: "It exists already, or its state forbids this.",
    413: "The body is too large.",
    415: "The body is compressed.",
    429: "A limit is reached: `Retry-After` says when to come back.",
    500: "It failed; the message says why, as far as it is known.",
    503: "A back end or the hub itself cannot answer now: `Retry-After` says when to come back.",
}


class Error(Struct):
    """What every error carries."""

    status: int
    message: str | None
    """For people; null where there is nothing to add to the status."""
    code: str | UnsetType = UNSET
    """What it is, for programs, where one status has several reasons."""


def error_response(status: int) -> dict[str, Any]:
    """Return the description of an error."""
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(name="Error")}}}
    described: dict[str, Any] = {"description": ERRORS[status], "content": content}
    if status in (429, 503):
        described["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return described


def security_schemes(prefix: str, catalog: Catalog) -> dict[str, Any]:
    """Return the ways to prove who is asking, below `prefix`."""
    about_token = "`token SECRET`: an API token, as `POST /users/{name}/tokens` makes it."  # noqa: S105 - no secret
    flow = {
        "authorizationUrl": f"{prefix}/oauth2/authorize",
        "tokenUrl": f"{prefix}/oauth2/token",
        "scopes": {row.name: row.text for row in catalog.scopes.values()},
    }
    return {
        "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": about_token},
        "bearer": {"type": "http", "scheme": "bearer", "description": "The same token as `Bearer SECRET`."},
        "cookie": {
            "type": "apiKey",
            "in": "cookie",
            "name": LOGIN_COOKIE,
            "description": "A browser's log-in, for pages of the hub.",
        },
        "xsrf": {
            "type": "apiKey",
            "in": "header",
            "name": "X-XSRFToken",
            "description": "The value of the cookie `_xsrf`, which pages of the hub set.",
        },
        "oauth2": {
            "type": "oauth2",
            "description": "For servers and services on behalf of their visitors.",
            "flows": {"authorizationCode": flow},
        },
    }
