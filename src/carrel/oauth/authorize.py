"""/oauth2/authorize: a visitor of a client comes to be recognised, and is sent back with a code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from oauthlib.oauth2 import FatalClientError, OAuth2Error
from oauthlib.oauth2.rfc6749 import errors
from oauthlib.openid.connect.core import exceptions
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from carrel.core import consent, oauth
from carrel.core.caller import Caller
from carrel.core.consent import CodeRequest
from carrel.core.context import HubContext
from carrel.core.oauth import Visit
from carrel.domain.errors import Invalid
from carrel.domain.oauth import OPENID, OAuthClient, origin_of
from carrel.http.csrf import check_form
from carrel.http.endpoint import Answer, get, post
from carrel.http.errors import login_url
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.lib.urls import with_arguments
from carrel.oauth.addresses import issuer_of
from carrel.oauth.validator import LoadedValidator, Provider, absolute, is_challenge, relative

_ENDPOINT = "http://hub.invalid/authorize"
_LONGEST_NONCE = 1000
_AGAIN = {"login", "select_account"}


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that was found to be right, and what came with it."""

    request: CodeRequest
    """What the client would get if the visitor agreed to all of it."""
    state: str | None
    issuer: str
    """Said in the answer to those who look at it (RFC 9207); empty for servers and services."""
    prompt: frozenset[str]
    max_age: int | None


_PAGE = Answer("The page that asks.", str, "text/html")
_REDIRECT = Answer("Back to the application, with a code or with why not; or to the log-in.")


@get(
    "/oauth2/authorize",
    summary="Send a visitor back to an application with a code",
    responses={200: _PAGE, 302: _REDIRECT},
    errors=(400, 404),
)
async def authorize(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Send a logged-in visitor back with a code, after asking them where that is needed."""
    if visitor is None and not _is_silent(request):
        return RedirectResponse(_sign_in_url(hub, request), 302)
    try:
        wish = await _read_wish(hub, visitor, request)
    except OAuth2Error as error:
        return _refuse(request, error)
    if visitor is None:
        return _send_error(wish, exceptions.LoginRequired())
    visit = await oauth.require_access(hub, visitor, wish.request.client)
    if await _must_sign_in_again(hub, visitor, wish):
        if "none" in wish.prompt:
            return _send_error(wish, exceptions.LoginRequired())
        return RedirectResponse(_login_again_url(request), 302)
    scopes = wish.request.scopes
    if "consent" in wish.prompt or await consent.needs_consent(hub, visitor, visit, scopes):
        if "none" in wish.prompt:
            return _send_error(wish, exceptions.ConsentRequired())
        return _ask(hub, visitor, pages, request, visit, wish)
    return await _send_code(hub, visitor, wish, wish.request)


@post(
    "/oauth2/authorize",
    summary="Agree to what an application asks for, or refuse it",
    responses={200: _PAGE, 302: _REDIRECT},
    errors=(400, 404),
    body=dict[str, str],
    takes="application/x-www-form-urlencoded",
)
async def confirm(hub: HubContext, visitor: Caller | None, request: Request) -> Response:
    """Send the visitor back with a code for what they have agreed to, which is what the page showed."""
    if visitor is None:
        return RedirectResponse(_sign_in_url(hub, request), 302)
    form = await check_form(request)
    try:
        wish = await _read_wish(hub, visitor, request)
    except OAuth2Error as error:
        return _refuse(request, error)
    await oauth.require_access(hub, visitor, wish.request.client)
    if "deny" in form:
        return _send_error(wish, errors.AccessDeniedError())
    agreed = [scope for scope in form.getlist("scopes") if isinstance(scope, str)]
    if not set(agreed) <= set(wish.request.scopes):
        raise Invalid("The form agrees to more than the application asked for.")
    return await _send_code(hub, visitor, wish, _limited(wish.request, agreed))


def _limited(request: CodeRequest, agreed: list[str]) -> CodeRequest:
    return replace(request, scopes=tuple(scope for scope in request.scopes if scope in agreed))


def _is_silent(request: Request) -> bool:
    return request.query_params.get("prompt", "").split() == ["none"]


async def _read_wish(hub: HubContext, visitor: Caller | None, request: Request) -> Wish:
    """Return what the request asks for.

    Raises Invalid for one that must not be answered by a redirect, and OAuth2Error for any other fault.
    """
    pairs = parse_qsl(request.url.query, keep_blank_values=True)
    query = dict(pairs)
    if any("\0" in value for _, value in pairs):
        raise Invalid("This link for signing in is not valid: there is no text in it that can be read.")
    client = await oauth.get_client(hub, query.get("client_id", ""))
    wanted: list[str] | None = []
    if client is not None and visitor is not None:
        wanted = await consent.allowed_scopes(hub, visitor, client, query.get("scope", ""))
    validator = LoadedValidator(client, proof_required=hub.settings.oauth_require_pkce, scopes=wanted)
    checked = [(key, absolute(value) if key == "redirect_uri" else value) for key, value in pairs]
    try:
        _, credentials = Provider(validator).validate_authorization_request(
            f"{_ENDPOINT}?{urlencode(checked)}"
        )
    except FatalClientError as error:
        raise Invalid(f"This link for signing in is not valid: {error.description or error.error}") from None
    if client is None or wanted is None:
        raise Invalid("This link for signing in is not valid.")
    _check_extras(client, query, credentials["request"])
    scopes = () if visitor is None else await consent.offered_scopes(hub, visitor, wanted)
    signs = client.kind == "external" or OPENID in scopes
    return Wish(
        _code_request(client, scopes, credentials, query),
        query.get("state"),
        issuer_of(request) if signs else "",
        frozenset(query.get("prompt", "").split()) if OPENID in wanted or visitor is None else frozenset(),
        _max_age(query, credentials["request"]) if OPENID in wanted else None,
    )


def _code_request(
    client: OAuthClient, scopes: tuple[str, ...], credentials: dict[str, Any], query: dict[str, str]
) -> CodeRequest:
    return CodeRequest(
        client=client,
        redirect_uri=relative(credentials["redirect_uri"]),
        scopes=scopes,
        code_challenge=credentials.get("code_challenge", ""),
        code_challenge_method=credentials.get("code_challenge_method", ""),
        nonce=query.get("nonce", ""),
    )


def _check_extras(client: OAuthClient, query: dict[str, str], checked: Any) -> None:
    """Raise OAuth2Error for what oauthlib leaves to us."""
    if "code_challenge" in query and not is_challenge(query["code_challenge"]):
        raise errors.InvalidRequestError("code_challenge must have 43 to 128 letters", request=checked)
    if client.kind == "external" and "code_challenge" in query and checked.code_challenge_method != "S256":
        raise errors.UnsupportedCodeChallengeMethodError(
            "code_challenge_method must be S256", request=checked
        )
    if len(query.get("nonce", "")) > _LONGEST_NONCE:
        raise errors.InvalidRequestError(f"nonce has at most {_LONGEST_NONCE} letters", request=checked)
    if query.get("response_mode", "query") != "query":
        raise errors.InvalidRequestError("response_mode must be query", request=checked)
    if "request" in query:
        raise exceptions.RequestNotSupported(request=checked)
    if "request_uri" in query:
        raise exceptions.RequestURINotSupported(request=checked)


def _max_age(query: dict[str, str], checked: Any) -> int | None:
    text = query.get("max_age")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise errors.InvalidRequestError("max_age must be a number of seconds", request=checked)
    return int(text)


async def _must_sign_in_again(hub: HubContext, visitor: Caller, wish: Wish) -> bool:
    if wish.prompt & _AGAIN:
        return True
    if wish.max_age is None:
        return False
    return hub.clock.now() - await consent.signed_in_at(hub, visitor) > wish.max_age


def _sign_in_url(hub: HubContext, request: Request) -> str:
    """Return where somebody signs in who comes from an application, to come back to this request."""
    if not hub.authenticator.auto_login_oauth2_authorize:
        return login_url(request)
    beginning = hub.authenticator.login_url(f"{hub.settings.base_url}hub/")
    return with_arguments(beginning, next=facts_of(request.scope).url)


def _login_again_url(request: Request) -> str:
    """Return where a visitor signs in anew, to come back to the same request without that demand."""
    query = [(key, value) for key, value in parse_qsl(request.url.query, True) if key != "prompt"]
    rest = [word for word in request.query_params.get("prompt", "").split() if word not in _AGAIN]
    if rest:
        query.append(("prompt", " ".join(rest)))
    back = f"{facts_of(request.scope).raw_path}?{urlencode(query)}"
    return with_arguments(login_url(request), next=back, again="1")


def _ask(
    hub: HubContext, visitor: Caller, pages: Pages, request: Request, visit: Visit, wish: Wish
) -> Response:
    asked = consent.describe(hub, visitor, wish.request.scopes)
    facts = facts_of(request.scope)
    # Browsers hold a form to the page's policy also where its answer leads on to.
    facts.form_target = origin_of(wish.request.redirect_uri)
    return pages.page(
        request,
        "oauth.html",
        oauth_client=visit.client,
        description=visit.client.description,
        owner=visit.owner,
        destination=facts.form_target,
        allowed_scopes=list(wish.request.scopes),
        scope_descriptions=[
            {"scope": line.scope, "description": line.text, "filter": line.limit} for line in asked
        ],
        action=facts.url,
    )


async def _send_code(hub: HubContext, visitor: Caller, wish: Wish, granted: CodeRequest) -> Response:
    return _send(wish, {"code": await consent.issue_code(hub, visitor, granted)})


def _send_error(wish: Wish, error: OAuth2Error) -> Response:
    return _send(wish, _told(error))


def _send(wish: Wish, answer: dict[str, str]) -> Response:
    return _redirect(wish.request.redirect_uri, answer, wish.state, wish.issuer)


def _refuse(request: Request, error: OAuth2Error) -> Response:
    """Tell the client what was wrong, by way of the visitor's browser, where its address is a known one."""
    told = _told(error)
    if not error.redirect_uri:
        raise Invalid(f"This link for signing in is not valid: {error.description or error.error}")
    redirect_uri = relative(error.redirect_uri)
    issuer = "" if redirect_uri.startswith("/") else issuer_of(request)
    return _redirect(redirect_uri, told, request.query_params.get("state"), issuer)


def _told(error: OAuth2Error) -> dict[str, str]:
    told = {"error": error.error or "invalid_request"}
    return told | ({"error_description": error.description} if error.description else {})


def _redirect(redirect_uri: str, answer: dict[str, str], state: str | None, issuer: str) -> Response:
    answer = answer | ({} if state is None else {"state": state}) | ({"iss": issuer} if issuer else {})
    separator = "&" if "?" in redirect_uri else "?"
    headers = {"Cache-Control": "no-store"}
    return RedirectResponse(f"{redirect_uri}{separator}{urlencode(answer)}", 302, headers)
