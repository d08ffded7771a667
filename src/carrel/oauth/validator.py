"""What oauthlib asks while it checks a request, answered from records that were loaded before.

oauthlib's callbacks are synchronous, our store is not: the endpoints load the client and what it brings,
let oauthlib decide, and write what it decided. Redirect URIs that are only a path are legal for servers and
services; oauthlib insists on absolute ones, so they pass through it with a host that cannot exist.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from oauthlib.common import Request
from oauthlib.oauth2 import AuthorizationEndpoint, BearerToken, TokenEndpoint
from oauthlib.openid import RequestValidator
from oauthlib.openid.connect.core.grant_types import AuthorizationCodeGrant, RefreshTokenGrant

from carrel.core.grants import Grounds, Issue
from carrel.domain.oauth import OAuthClient, write_scopes
from carrel.lib.ids import fits_secret

_HOST = "http://path-only.invalid"
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def absolute(redirect_uri: str) -> str:
    """Return a redirect URI as oauthlib takes it."""
    return f"{_HOST}{redirect_uri}" if redirect_uri.startswith("/") else redirect_uri


def relative(redirect_uri: str) -> str:
    """Undo `absolute`."""
    return redirect_uri.removeprefix(_HOST)


def is_challenge(text: str) -> bool:
    """Tell whether a text can be a code challenge (RFC 7636, 4.2)."""
    return _CHALLENGE.fullmatch(text) is not None


class LoadedValidator(RequestValidator):
    """Answers for one request about one client; what it cannot answer is refused."""

    def __init__(
        self,
        client: OAuthClient | None,
        *,
        proof_required: bool = False,
        scopes: Sequence[str] | None = None,
        grounds: Grounds | None = None,
    ) -> None:
        super().__init__()
        self._client = client
        self._proof_required = proof_required
        self._scopes = scopes
        self._grounds = grounds

    # The authorize endpoint

    def validate_client_id(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> bool:
        request.client = self._client
        return self._client is not None and self._client.client_id == client_id

    def validate_redirect_uri(
        self, client_id: str, redirect_uri: str, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return self._client is not None and relative(redirect_uri) in self._client.redirect_uris

    def get_default_redirect_uri(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> str:
        # Who has several says which one.
        if self._client is None or self._client.other_redirect_uris:
            return ""
        return absolute(self._client.redirect_uri)

    def validate_response_type(
        self, client_id: str, response_type: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return response_type == "code"

    def get_default_scopes(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> list[str]:
        # Who asks for nothing in particular gets all that the client may have, as with JupyterHub.
        return list(self._client.allowed_scopes) if self._client is not None else []

    def validate_scopes(
        self, client_id: str, scopes: list[str], client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return self._scopes is not None

    def is_pkce_required(self, client_id: str, request: Request) -> bool:
        return self._proof_required or (self._client is not None and self._client.public)

    # Whether the visitor has to sign in or agree is seen to by the endpoint, which knows them.

    def validate_silent_login(self, request: Request) -> bool:
        return True

    def validate_silent_authorization(self, request: Request) -> bool:
        return True

    def validate_user_match(
        self, id_token_hint: str, scopes: list[str], claims: Any, request: Request
    ) -> bool:
        return True

    # The token endpoint

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        request.client = self._client
        return self._client is not None and is_authentic(self._client, request.client_secret)

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return grant_type in {"authorization_code", "refresh_token"}

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        grounds = self._grounds
        if grounds is None or grounds.code is None:
            return False
        if request.code_verifier and not grounds.code.code_challenge:
            # Somebody has taken the challenge out on the way (RFC 9700, 4.8.2).
            return False
        request.user = grounds.user.id
        request.scopes = write_scopes(grounds.scopes).split()
        return True

    def get_code_challenge(self, code: str, request: Request) -> Any:
        # None means that the client did not ask for PKCE, which old ones do not.
        found = self._grounds.code if self._grounds is not None else None
        return (found.code_challenge or None) if found is not None else None

    def get_code_challenge_method(self, code: str, request: Request) -> str:
        found = self._grounds.code if self._grounds is not None else None
        return (found.code_challenge_method or "plain") if found is not None else "plain"

    def confirm_redirect_uri(
        self,
        client_id: str,
        code: str,
        redirect_uri: str,
        client: Any,
        request: Request,
        *args: Any,
        **kwargs: Any,
    ) -> bool:
        found = self._grounds.code if self._grounds is not None else None
        return found is not None and relative(redirect_uri) == found.redirect_uri

    def validate_refresh_token(
        self, refresh_token: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        if self._grounds is None or self._grounds.code is not None:
            return False
        request.user = self._grounds.user.id
        return True

    def get_original_scopes(
        self, refresh_token: str, request: Request, *args: Any, **kwargs: Any
    ) -> list[str]:
        return write_scopes(self._grounds.scopes).split() if self._grounds is not None else []

    def get_authorization_code_nonce(
        self, client_id: str, code: str, redirect_uri: str, request: Request
    ) -> str:
        return (
            self._grounds.code.nonce if self._grounds is not None and self._grounds.code is not None else ""
        )

    def get_id_token(self, token: Any, token_handler: Any, request: Request) -> str:
        return self._grounds.id_token if self._grounds is not None else ""

    # What is written is written by the endpoint.

    def save_token(self, token: Any, request: Request, *args: Any, **kwargs: Any) -> None:
        """See `core.grants`."""

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """See `core.grants`."""


def is_authentic(client: OAuthClient, secret: str | None) -> bool:
    """Tell whether whoever brings `secret` may speak for the client; public ones bring none."""
    if client.public:
        return not secret
    return bool(secret) and fits_secret(client.hashed_secret, str(secret))


class Provider(AuthorizationEndpoint, TokenEndpoint):
    """oauthlib's endpoints for the two grants that there are, over one validator."""

    def __init__(
        self, validator: LoadedValidator, issue: Issue | None = None, *, refreshing: bool = False
    ) -> None:
        bearer = BearerToken(
            validator,
            token_generator=lambda request: issue.access if issue is not None else "",
            expires_in=int(issue.lifetime) if issue is not None else None,
            refresh_token_generator=lambda request: issue.refresh if issue is not None else "",
        )
        code = AuthorizationCodeGrant(validator)
        code.refresh_token = refreshing
        grants = {"authorization_code": code, "refresh_token": RefreshTokenGrant(validator)}
        # The stubs take the handler of tokens for its name.
        AuthorizationEndpoint.__init__(self, "code", bearer, {"code": code})  # type: ignore[arg-type]
        TokenEndpoint.__init__(self, "authorization_code", bearer, grants)  # type: ignore[arg-type]
