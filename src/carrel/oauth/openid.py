"""What applications look up: where everything is, the keys to check signatures with, and who signed in."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from carrel.core import openid
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden
from carrel.domain.oauth import OFFLINE, USUAL_CLAIMS, write_scopes
from carrel.http.endpoint import Answer, get, json_reply, route
from carrel.lib.signing import ALGORITHM
from carrel.oauth.addresses import issuer_of

# Nothing of it is anybody's secret: scripts of other sites may read it.
_FOR_ALL = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=300"}
_CLAIMS = (
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "at_hash",
    "name",
    "preferred_username",
    "picture",
    "email",
    "email_verified",
    "groups",
)


@get(
    "/hub/.well-known/openid-configuration",
    "/.well-known/openid-configuration",
    summary="Say where the endpoints of the identity provider are",
)
async def discover(request: Request) -> Response:
    """Return the provider's metadata (OpenID Connect Discovery 1.0)."""
    issuer = issuer_of(request)
    return json_reply(_metadata(issuer), headers=dict(_FOR_ALL))


def _metadata(issuer: str) -> dict[str, Any]:
    endpoints = f"{issuer}/api/oauth2"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{endpoints}/authorize",
        "token_endpoint": f"{endpoints}/token",
        "userinfo_endpoint": f"{endpoints}/userinfo",
        "revocation_endpoint": f"{endpoints}/revoke",
        "jwks_uri": f"{endpoints}/jwks",
        "scopes_supported": write_scopes((*USUAL_CLAIMS, OFFLINE)).split(),
        "claims_supported": list(_CLAIMS),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
    }


@get(
    "/oauth2/jwks",
    summary="Get the keys that signatures of the identity provider are checked with",
    responses={200: Answer("A JSON Web Key Set.", dict[str, list[dict[str, str]]])},
)
async def keys(hub: HubContext) -> Response:
    """Return the published keys as a JSON Web Key Set (RFC 7517)."""
    return json_reply({"keys": await openid.published_keys(hub)}, headers=dict(_FOR_ALL))


_REFUSED = Answer("Why not, as RFC 6750 section 3 has it.", dict[str, str])


@route(
    ("GET", "POST"),
    "/oauth2/userinfo",
    summary="Say who has signed in to an application",
    responses={
        200: Answer("The claims that the token's scopes give.", dict[str, Any]),
        401: _REFUSED,
        403: _REFUSED,
    },
)
async def user_info(hub: HubContext, visitor: Caller | None) -> Response:
    """Return what the access token lets its holder know of its owner, or the error of RFC 6750 §3."""
    if visitor is None or visitor.token is None:
        return _challenge(401, "invalid_token", "This takes the access token in the Authorization header.")
    try:
        found = await openid.user_info(hub, visitor)
    except Forbidden as error:
        return _challenge(403, "insufficient_scope", str(error))
    return json_reply(found, headers={"Cache-Control": "no-store"})


def _challenge(status: int, error: str, description: str) -> Response:
    told = f'Bearer error="{error}", error_description="{description}"'
    body = {"error": error, "error_description": description}
    return json_reply(body, status, headers={"WWW-Authenticate": told, "Cache-Control": "no-store"})
