"""/oauth2/authorize: a visitor of a server comes to be recognised, and is sent back with a code."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from oauthlib.oauth2 import FatalClientError, OAuth2Error
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from carrel.core import oauth
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.oauth import CodeRequest
from carrel.domain.errors import Invalid
from carrel.domain.oauth import OAuthClient
from carrel.http.csrf import check_form
from carrel.http.endpoint import Answer, get, post
from carrel.http.errors import login_url
from carrel.http.pages import Pages
from carrel.oauth.validator import LoadedValidator, absolute, relative, server_for

_ENDPOINT = "http://hub.invalid/authorize"


_PAGE = Answer("The page that asks.", str, "text/html")
_REDIRECT = Answer("Back to the application, with a code or with why not; or to the log-in.")


@get(
    "/oauth2/authorize",
    summary="Ask for somebody's consent",
    responses={200: _PAGE, 302: _REDIRECT},
    errors=(400, 404),
)
async def authorize(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Send a logged-in visitor back with a code, after asking them where that is needed."""
    if visitor is None:
        return RedirectResponse(login_url(request), 302)
    wish = await _validate(hub, request)
    if await oauth.require_access(hub, visitor, wish.client):
        return await _send_back(hub, visitor, wish, request)
    return pages.oauth_confirmation(
        request, visitor, wish.client.description, list(wish.client.access_scopes)
    )


@post(
    "/oauth2/authorize",
    summary="Give consent",
    responses={200: _PAGE, 302: _REDIRECT},
    errors=(400, 404),
    body=dict[str, str],
    takes="application/x-www-form-urlencoded",
)
async def confirm(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Send the visitor back with a code after they have agreed."""
    if visitor is None:
        return RedirectResponse(login_url(request), 302)
    await check_form(request)
    wish = await _validate(hub, request)
    await oauth.require_access(hub, visitor, wish.client)
    return await _send_back(hub, visitor, wish, request)


async def _validate(hub: HubContext, request: Request) -> CodeRequest:
    """Return what the request asks for; raises Invalid for one that must not be answered by a redirect."""
    query = dict(parse_qsl(request.url.query, keep_blank_values=True))
    client = await oauth.get_client(hub, query.get("client_id", ""))
    if "redirect_uri" in query:
        query["redirect_uri"] = absolute(query["redirect_uri"])
    provider = server_for(LoadedValidator(client))
    try:
        scopes, credentials = provider.validate_authorization_request(f"{_ENDPOINT}?{urlencode(query)}")
    except FatalClientError as error:
        raise Invalid(f"This link for signing in is not valid: {error.description or error.error}") from None
    except OAuth2Error as error:
        raise Invalid(f"The server asked for something the hub does not do: {error.description}") from None
    return _code_request(client, scopes, credentials)


def _code_request(client: OAuthClient | None, scopes: list[str], credentials: dict[str, Any]) -> CodeRequest:
    if client is None:
        raise Invalid("This link for signing in is not valid.")
    return CodeRequest(
        client=client,
        redirect_uri=relative(credentials["redirect_uri"]),
        scopes=tuple(scopes),
        code_challenge=credentials["request"].code_challenge or "",
        code_challenge_method=credentials["request"].code_challenge_method or "",
    )


async def _send_back(hub: HubContext, visitor: Caller, wish: CodeRequest, request: Request) -> Response:
    code = await oauth.issue_code(hub, visitor, wish)
    answer = {"code": code}
    if "state" in request.query_params:
        answer["state"] = request.query_params["state"]
    separator = "&" if "?" in wish.redirect_uri else "?"
    return RedirectResponse(f"{wish.redirect_uri}{separator}{urlencode(answer)}", status_code=302)
