"""OAuth clients, codes and grants, and what clients may ask for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from carrel.lib.clock import Timestamp

#: How long an authorization code may be exchanged, in seconds.
CODE_LIFETIME = 300.0

#: A user's server, a service beside the hub, or another application that the configuration names.
ClientKind = Literal["server", "service", "external"]

#: Nothing else may stand in a policy: a semicolon would begin another rule.
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?=[/?]|$)")
_FILTER_OF: Mapping[ClientKind, str] = MappingProxyType({"server": "server", "service": "service"})
_MARK = "oidc:"
OPENID, PROFILE, EMAIL, GROUPS, OFFLINE = (
    f"{_MARK}{word}" for word in ("openid", "profile", "email", "groups", "offline_access")
)
#: What OpenID Connect's scopes tell an application. They are kept with a mark, since the hub has a scope
#: `groups` of its own that is worth far more.
CLAIM_SCOPES: Mapping[str, str] = MappingProxyType(
    {
        OPENID: "Recognise you whenever you sign in with this account.",
        PROFILE: "See your name, and your picture if there is one.",
        EMAIL: "See your e-mail address.",
        GROUPS: "See which groups you are in.",
        OFFLINE: "Stay connected after you have signed out.",
    }
)
#: Those that every application may ask for; staying connected has to be allowed.
USUAL_CLAIMS = (OPENID, PROFILE, EMAIL, GROUPS)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Something that signs its visitors in through the hub."""

    client_id: str
    hashed_secret: str
    """Empty for a public client, which has no secret and must bring a proof (PKCE) instead."""
    redirect_uri: str
    """Compared exactly; a path alone is legal for servers and services and means the hub's own host."""
    access_scopes: tuple[str, ...]
    """Holding any of these lets a visitor in; an application without any is for everybody."""
    allowed_scopes: tuple[str, ...] = ()
    """What the client may ask for beyond access and identity, and gets when it asks for nothing."""
    description: str = ""
    server_id: int | None = None
    kind: ClientKind = "server"
    confirm: bool = True
    """Whether visitors are asked before they are sent on."""
    other_redirect_uris: tuple[str, ...] = ()

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret."""
        return not self.hashed_secret

    @property
    def own_access(self) -> tuple[str, ...]:
        """Return the access that its visitors' tokens get: to it, and not to a user's other servers."""
        if self.kind == "external":
            return self.access_scopes
        return tuple(scope for scope in self.access_scopes if f"!{_FILTER_OF[self.kind]}=" in scope)

    @property
    def redirect_uris(self) -> tuple[str, ...]:
        """Return every address that visitors may be sent back to."""
        return (self.redirect_uri, *self.other_redirect_uris)


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
    nonce: str = ""
    auth_time: Timestamp = 0.0
    """When the visitor signed in."""
    token_id: int | None = None
    """The token that it was exchanged for: a second use ends that."""
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What keeps an application connected: a refresh token that is replaced with every use."""

    id: str
    """The digest of the first half of its refresh tokens, which stays the same."""
    hashed: str = field(repr=False)
    """The digest of the refresh token that is good now."""
    client_id: str
    user_id: int
    session_id: str | None
    """The session that it ends with; None for one that outlives the log-in."""
    scopes: tuple[str, ...]
    auth_time: Timestamp
    expires: Timestamp
    token_id: int
    """The access token that was given last."""


def read_scopes(text: str) -> tuple[str, ...]:
    """Return the scopes of a request's `scope`, as they are stored.

    With `openid` among them, OpenID Connect's words mean its claims. What looks like a stored claim is left
    out.
    """
    words = dict.fromkeys(word for word in text.split() if not is_claim(word))
    if "openid" not in words:
        return tuple(words)
    return tuple(f"{_MARK}{word}" if f"{_MARK}{word}" in CLAIM_SCOPES else word for word in words)


def write_scopes(scopes: Iterable[str]) -> str:
    """Return stored scopes as an answer's `scope` has them; undoes `read_scopes`."""
    return " ".join(scope.removeprefix(_MARK) for scope in scopes)


def is_claim(scope: str) -> bool:
    """Tell whether a stored scope is one of OpenID Connect's."""
    return scope.startswith(_MARK)


def with_own_filters(client: OAuthClient) -> OAuthClient:
    """Return the client with its own server or service in scopes that say `!server` or `!service` alone."""
    return replace(client, allowed_scopes=tuple(fill_filter(client, each) for each in client.allowed_scopes))


def fill_filter(client: OAuthClient, scope: str) -> str:
    """Return a scope with the client's own server or service where its filter has no value."""
    _, bang, kind = scope.partition("!")
    if bang and kind in {"server", "service"}:
        for access in client.access_scopes:
            found, _, value = access.partition("!")[2].partition("=")
            if found == kind:
                return f"{scope}={value}"
    return scope


def origin_of(redirect_uri: str) -> str:
    """Return scheme and host of an absolute address, as page policies name them; empty for a path."""
    found = _ORIGIN.match(redirect_uri)
    return found[0] if found is not None else ""
