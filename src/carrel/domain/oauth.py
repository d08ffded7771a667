"""OAuth clients and codes, and the rules for redirect URIs."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.lib.clock import Timestamp

#: How long an authorization code may be exchanged, in seconds.
CODE_LIFETIME = 300.0


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Something that signs its visitors in through the hub: here, a user's server."""

    client_id: str
    hashed_secret: str
    redirect_uri: str
    """Compared exactly; a path alone is legal and means the hub's own host."""
    access_scopes: tuple[str, ...]
    """Holding any of these lets a visitor in."""
    allowed_scopes: tuple[str, ...] = ()
    """What the client may ask for beyond access and identity."""
    description: str = ""
    server_id: int | None = None


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """A code on its way from the authorize page to the token endpoint; single use."""

    hashed: str
    client_id: str
    user_id: int
    session_id: str | None
    redirect_uri: str
    scopes: tuple[str, ...]
    expires: Timestamp
    code_challenge: str = ""
    code_challenge_method: str = ""
