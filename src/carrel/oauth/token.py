"""/oauth2/token: a server exchanges the code that its visitor brought for a token."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from carrel.core import oauth
from carrel.core.context import HubContext
from carrel.domain.errors import NotFound
from carrel.http.endpoint import Answer, post
from carrel.lib.ids import new_token
from carrel.oauth.validator import LoadedValidator, absolute, holds_secret, server_for

_ENDPOINT = "http://hub.invalid/token"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@post(
    "/oauth2/token",
    summary="Exchange a code for a token",
    responses={
        200: Answer("The token, as RFC 6749 section 5.1 has it.", dict[str, Any]),
        400: Answer("What is wrong, as RFC 6749 section 5.2 has it.", dict[str, Any]),
        401: Answer("The client's secret is wrong.", dict[str, Any]),
    },
    body=dict[str, str],
    takes="application/x-www-form-urlencoded",
)
async def exchange(hub: HubContext, request: Request) -> Response:
    """Return a token for a good code, or the error of RFC 6749 §5.2."""
    form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
    client = await oauth.get_client(hub, form.get("client_id", ""))
    code = None
    if client is not None and holds_secret(client, form.get("client_secret")):
        # Spent before it is checked: a code that fails its PKCE check must not be tried again.
        code = await oauth.take_code(hub, form.get("code", ""))
    if "redirect_uri" in form:
        form["redirect_uri"] = absolute(form["redirect_uri"])
    secret = new_token()
    provider = server_for(LoadedValidator(client, code), secret=secret, lifetime=oauth.token_lifetime(hub))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    given, body, status = provider.create_token_response(_ENDPOINT, "POST", urlencode(form), headers)
    if status == 200 and client is not None and code is not None:
        try:
            await oauth.redeem(hub, client, code, secret)
        except NotFound:
            return Response(b'{"error": "invalid_grant"}', status_code=400, media_type="application/json")
    challenge = {name: value for name, value in given.items() if name == "WWW-Authenticate"}
    return Response(body.encode(), status, _NO_STORE | challenge, "application/json")
