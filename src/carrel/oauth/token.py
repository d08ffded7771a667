"""/oauth2/token and /oauth2/revoke: a client comes for tokens, or gives them up."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from carrel.core import grants, oauth, openid
from carrel.core.context import HubContext
from carrel.core.grants import Grounds, Issue
from carrel.domain.oauth import OPENID, OAuthClient
from carrel.http.endpoint import Answer, post
from carrel.http.request import header
from carrel.oauth.addresses import issuer_of
from carrel.oauth.validator import LoadedValidator, Provider, absolute, is_authentic

_ENDPOINT = "http://hub.invalid/token"
_FORM_TYPE = "application/x-www-form-urlencoded"
_FORM = {"Content-Type": _FORM_TYPE}
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class Sent:
    """A client's form, and how it says who it is."""

    form: dict[str, str] = field(repr=False)
    basic: bool
    """Whether it used the Authorization header."""
    fault: str = ""


_REFUSED = {
    400: Answer("What is wrong, as RFC 6749 section 5.2 has it.", dict[str, Any]),
    401: Answer("The client's secret is wrong.", dict[str, Any]),
}


@post(
    "/oauth2/token",
    summary="Exchange a code or a refresh token for tokens",
    responses={200: Answer("The tokens, as RFC 6749 section 5.1 has it.", dict[str, Any]), **_REFUSED},
    body=dict[str, str],
    takes=_FORM_TYPE,
)
async def exchange(hub: HubContext, request: Request) -> Response:
    """Return tokens for a good code or refresh token, or the error of RFC 6749 §5.2."""
    sent = await _read(request)
    if sent.fault:
        return _error(400, "invalid_request", sent.fault)
    client = await oauth.get_client(hub, sent.form.get("client_id", ""))
    good = client is not None and is_authentic(client, sent.form.get("client_secret"))
    if client is None or not good:
        return _Decision(hub, None, sent, None).refused()
    coming_back = sent.form.get("grant_type") == "refresh_token"
    secret = sent.form.get("refresh_token" if coming_back else "code", "")
    signer = await openid.load_signer(hub, issuer_of(request)) if OPENID in client.allowed_scopes else None
    issue = grants.new_issue(hub, client, signer, secret if coming_back else "")
    decision = _Decision(hub, client, sent, issue)
    if secret and coming_back:
        narrow = sent.form.get("scope", "").split()
        await grants.refresh(hub, client, secret, issue, decision.judge, narrow)
    elif secret and sent.form.get("grant_type") == "authorization_code":
        await grants.redeem_code(hub, client, secret, issue, decision.judge)
    else:
        decision.judge(None)
    return decision.reply


@post(
    "/oauth2/revoke",
    summary="Give up a token",
    responses={200: Answer("It is worth nothing; the answer is empty."), **_REFUSED},
    body=dict[str, str],
    takes=_FORM_TYPE,
)
async def revoke(hub: HubContext, request: Request) -> Response:
    """End a token of the client that asks (RFC 7009); one that is not its own, or not known, is fine."""
    sent = await _read(request)
    if sent.fault:
        return _error(400, "invalid_request", sent.fault)
    client = await oauth.get_client(hub, sent.form.get("client_id", ""))
    if client is None or not is_authentic(client, sent.form.get("client_secret")):
        return _error(401, "invalid_client", "", basic=sent.basic)
    if not sent.form.get("token"):
        return _error(400, "invalid_request", "Missing token parameter.")
    await grants.revoke(hub, client, sent.form["token"])
    return Response(status_code=200, headers=_NO_STORE)


class _Decision:
    """Has oauthlib decide on the grounds that were found, and keeps the answer that it forms."""

    reply: Response

    def __init__(self, hub: HubContext, client: OAuthClient | None, sent: Sent, issue: Issue | None) -> None:
        self._hub = hub
        self._client = client
        self._sent = sent
        self._issue = issue

    def judge(self, grounds: Grounds | None) -> bool:
        """Tell whether the request is granted; see `carrel.core.grants.Judge`."""
        validator = LoadedValidator(
            self._client, proof_required=self._hub.settings.oauth_require_pkce, grounds=grounds
        )
        refreshing = grounds is not None and grounds.refreshing
        provider = Provider(validator, self._issue, refreshing=refreshing)
        form = dict(self._sent.form)
        if "redirect_uri" in form:
            form["redirect_uri"] = absolute(form["redirect_uri"])
        given, body, status = provider.create_token_response(_ENDPOINT, "POST", urlencode(form), _FORM)
        headers = {name: value for name, value in given.items() if name == "WWW-Authenticate"}
        if status == 401 and self._sent.basic:
            headers["WWW-Authenticate"] = _BASIC
        self.reply = Response(body.encode(), status, _NO_STORE | headers, "application/json")
        return bool(status == 200)

    def refused(self) -> Response:
        """Return the answer to somebody who is not a client, or not the one that they say."""
        self.judge(None)
        return self.reply


_BASIC = 'Basic realm="OAuth client", charset="UTF-8"'


async def _read(request: Request) -> Sent:
    """Return the form of a request, with the client's id and secret in it, wherever they came from.

    The query is never looked at: what stands there stands in logs.
    """
    pairs = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    twice = [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]
    scheme, _, value = header(request, "authorization").strip().partition(" ")
    basic = scheme.lower() == "basic"
    if any("\0" in value for value in form.values()):
        return Sent({}, basic, "There is a character in it that no text has.")
    if twice:
        return Sent(form, basic, f"Duplicate {twice[0][:40]} parameter.")
    if not basic:
        return Sent(form, basic)
    name, secret = _decode_basic(value)
    if "client_secret" in form or form.get("client_id", name) != name:
        return Sent(form, basic, "The client says who it is in two ways.")
    return Sent(form | {"client_id": name, "client_secret": secret}, basic)


def _decode_basic(value: str) -> tuple[str, str]:
    """Return id and secret of an Authorization header; empty ones when it cannot be read."""
    try:
        name, _, secret = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    name, secret = unquote_plus(name), unquote_plus(secret)
    return ("", "") if "\0" in name else (name, secret)


def _error(status: int, error: str, description: str, *, basic: bool = False) -> Response:
    body = {"error": error} | ({"error_description": description} if description else {})
    headers = _NO_STORE | ({"WWW-Authenticate": _BASIC} if basic else {})
    return Response(msgspec.json.encode(body), status, headers, "application/json")
