"""What oauthlib asks while it checks a request, answered from records that were loaded before.

oauthlib's callbacks are synchronous, our store is not: the endpoints load the client and the code first, let
oauthlib decide, and write what it decided afterwards. Redirect URIs that are only a path are legal for
servers of this hub; oauthlib insists on absolute ones, so they pass through it with a host that cannot exist.
"""

from __future__ import annotations

from typing import Any

from oauthlib.common import Request
from oauthlib.oauth2 import RequestValidator, WebApplicationServer

from carrel.core.oauth import granted
from carrel.domain.oauth import OAuthClient, OAuthCode
from carrel.lib.ids import digest, same

_HOST = "http://path-only.invalid"


def absolute(redirect_uri: str) -> str:
    """Return a redirect URI as oauthlib takes it."""
    return f"{_HOST}{redirect_uri}" if redirect_uri.startswith("/") else redirect_uri


def relative(redirect_uri: str) -> str:
    """Undo `absolute`."""
    return redirect_uri.removeprefix(_HOST)


class LoadedValidator(RequestValidator):
    """Answers for one request about one client, and for the token endpoint about one code."""

    def __init__(self, client: OAuthClient | None, code: OAuthCode | None = None) -> None:
        super().__init__()
        self._client = client
        self._code = code

    # The authorize endpoint

    def validate_client_id(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> bool:
        request.client = self._client
        return self._client is not None and self._client.client_id == client_id

    def validate_redirect_uri(
        self, client_id: str, redirect_uri: str, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return self._client is not None and relative(redirect_uri) == self._client.redirect_uri

    def get_default_redirect_uri(self, client_id: str, request: Request, *args: Any, **kwargs: Any) -> str:
        return absolute(self._client.redirect_uri) if self._client is not None else ""

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
        # What the client may not have is dropped when the code is redeemed: old clients ask for role names.
        return True

    def is_pkce_required(self, client_id: str, request: Request) -> bool:
        return False

    def save_authorization_code(
        self, client_id: str, code: Any, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """The endpoint writes the code itself, with its own secret."""

    # The token endpoint

    def authenticate_client(self, request: Request, *args: Any, **kwargs: Any) -> bool:
        request.client = self._client
        return self._client is not None and holds_secret(self._client, request.client_secret)

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        return grant_type == "authorization_code"

    def validate_code(
        self, client_id: str, code: str, client: Any, request: Request, *args: Any, **kwargs: Any
    ) -> bool:
        if self._code is None or self._client is None or self._code.client_id != self._client.client_id:
            return False
        request.user = self._code.user_id
        request.scopes = list(granted(self._client, self._code.scopes))
        return True

    def get_code_challenge(self, code: str, request: Request) -> Any:
        # None means that the client did not ask for PKCE, which old ones do not.
        return (self._code.code_challenge or None) if self._code is not None else None

    def get_code_challenge_method(self, code: str, request: Request) -> str:
        return (self._code.code_challenge_method or "plain") if self._code is not None else "plain"

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
        return self._code is not None and relative(redirect_uri) == self._code.redirect_uri

    def save_bearer_token(self, token: Any, request: Request, *args: Any, **kwargs: Any) -> str | None:
        """The endpoint writes the token itself."""
        return None

    def invalidate_authorization_code(
        self, client_id: str, code: str, request: Request, *args: Any, **kwargs: Any
    ) -> None:
        """The endpoint has spent the code before it asked."""


def holds_secret(client: OAuthClient, secret: str | None) -> bool:
    """Tell whether `secret` is the client's."""
    return bool(secret) and same(client.hashed_secret, digest(str(secret)))


def server_for(
    validator: LoadedValidator, *, secret: str | None = None, lifetime: float = 0.0
) -> WebApplicationServer:
    """Return oauthlib's endpoints over one validator; tokens they make are `secret`."""
    server = WebApplicationServer(
        validator,
        token_generator=None if secret is None else lambda request: secret,
        token_expires_in=int(lifetime),
    )
    # A browser that comes back is recognised anew: nothing would honour a refresh token.
    server.auth_grant.refresh_token = False
    return server
