"""Signing in to a server: the authorize page, the codes and the tokens, and all that goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from tests.compat.beside.asking import Ask, Case, case, delete, get, post

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_CALLBACK = "/user/ada/oauth_callback"
_VERIFIER = "v" * 64
#: The S256 challenge of 64 times the letter v (RFC 7636, 4.2).
_CHALLENGE = "w1TpKUdYE9hUAcNSeeSRFioHDxfUxuHho_JHAfZ_vDM"
_PROOF = {"code_challenge": _CHALLENGE, "code_challenge_method": "S256"}
_WRONG_WISHES: dict[str, dict[str, str | None]] = {
    "no client": {"client_id": None},
    "an unknown client": {"client_id": "jupyterhub-user-nemo"},
    "the hub's own client": {"client_id": "jupyterhub"},
    "another redirect URI": {"redirect_uri": "/user/bea/oauth_callback"},
    "a foreign redirect URI": {"redirect_uri": f"https://evil.example{_CALLBACK}"},
    "a redirect URI with a query": {"redirect_uri": f"{_CALLBACK}?x=1"},
    "no redirect URI": {"redirect_uri": None},
    "no response type": {"response_type": None},
    "an unknown challenge method": {"code_challenge": _CHALLENGE, "code_challenge_method": "S1024"},
    "an unknown scope": {"scope": "no:such"},
    "a scope that is not for it": {"scope": "admin:users"},
    "a role that is not for it": {"scope": "user"},
    "the old word for a scope": {"scope": "identify"},
    "no state": {"state": None},
    "a state with odd characters": {"state": "a+b/é& ="},
}


def _wish(**changes: str | None) -> str:
    fields: dict[str, str | None] = {
        "client_id": "jupyterhub-user-ada",
        "redirect_uri": _CALLBACK,
        "response_type": "code",
        "state": "s1",
    }
    merged = fields | changes
    sent = {key: value for key, value in merged.items() if value is not None}
    return f"/hub/api/oauth2/authorize?{urlencode(sent)}"


def _token(**changes: str | None) -> Ask:
    fields: dict[str, str | None] = {
        "client_id": "jupyterhub-user-ada",
        "client_secret": "$secret",
        "grant_type": "authorization_code",
        "code": "$code",
        "redirect_uri": _CALLBACK,
    }
    merged = fields | changes
    # Put together by hand: `$` must stay.
    body = "&".join(f"{key}={value}" for key, value in merged.items() if value is not None)
    return post("/oauth2/token", body.encode(), "nobody", headers=_FORM, keep={"token": "access_token"})


def _secret() -> Ask:
    return get("/users/ada", keep={"secret": "servers..state.api_token"})


def _code(**changes: str | None) -> Ask:
    return get(_wish(**changes), "ada's visit", keep={"code": "location?code"})


def _bearer(who: str = "token") -> dict[str, str]:
    return {"Authorization": f"Bearer ${who}"}


def _exchanges() -> Iterator[Case]:
    wrong: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
        "a wrong proof": (_PROOF, {"code_verifier": "w" * 64}),
        "no proof": (_PROOF, {}),
        "a wrong secret": ({}, {"client_secret": "wrong"}),
        "no secret": ({}, {"client_secret": None}),
        "another client": ({}, {"client_id": "jupyterhub-user-nemo"}),
        "no client": ({}, {"client_id": None}),
        "a made-up code": ({}, {"code": "made-up"}),
        "no code": ({}, {"code": None}),
        "another redirect URI": ({}, {"redirect_uri": "/user/bea/oauth_callback"}),
        "another grant": ({}, {"grant_type": "password"}),
    }
    for what, (asked, sent) in wrong.items():
        details: dict[str, Any] = {**sent}
        yield case(f"sign in: exchange with {what}", _secret(), _code(**asked), _token(**details))


CASES: tuple[Case, ...] = (
    case(
        "sign in: the server",
        post("/users/ada/server", b""),
        get("/users/ada", until=("json.servers..ready", True)),
    ),
    case("sign in: who comes", *(get(_wish(), who) for who in ("ada's visit", "nobody", "ada", "bea"))),
    *(
        case(f"sign in: a wish with {what}", get(_wish(**changes), "ada's visit"))
        for what, changes in _WRONG_WISHES.items()
    ),
    case(
        "sign in: the whole way",
        _secret(),
        _code(**_PROOF),
        _token(code_verifier=_VERIFIER),
        get("/user", "nobody", headers=_bearer()),
        get("/users/bea", "nobody", headers=_bearer()),
        get("/users", "nobody", headers=_bearer()),
    ),
    case("sign in: without a proof", _secret(), _code(), _token(), get("/user", "nobody", headers=_bearer())),
    case("sign in: a code used twice", _secret(), _code(), _token(), _token()),
    case(
        "sign in: revoke",
        _secret(),
        _code(),
        _token(),
        get("/user", "nobody", headers=_bearer(), keep={"id": "token_id"}),
        delete("/users/ada/tokens/$id"),
        get("/user", "nobody", headers=_bearer()),
    ),
    *_exchanges(),
    case(
        "sign in: agree without the form's token",
        post(_wish(), b"scopes=inherit", "ada's cookie", headers=_FORM),
        post(_wish(), b"", "nobody", headers=_FORM),
    ),
)
