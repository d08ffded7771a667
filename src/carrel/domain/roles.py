"""Roles, and what the built-in ones give to users and tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from carrel.domain.names import full_name
from carrel.domain.scope_catalog import IDENTIFY_SCOPES, INHERIT, SELF
from carrel.domain.scopes import expand, intersect, reduce


@dataclass(frozen=True, slots=True)
class Role:
    """A name for a set of scopes, as written by whoever defined it: not expanded."""

    name: str
    text: str
    scopes: tuple[str, ...]


USER = Role("user", "What every user may do with what is theirs.", (SELF,))
ADMIN = Role(
    "admin",
    "Everything, for everybody.",
    (
        "admin-ui",
        "admin:users",
        "admin:servers",
        "admin:services",
        "tokens",
        "admin:groups",
        "list:services",
        "read:services",
        "read:hub",
        "proxy",
        "shutdown",
        "access:services",
        "access:servers",
        "read:roles",
        "read:metrics",
        "shares",
    ),
)
SERVER = Role("server", "What a server's own token may do.", ("users:activity!user", "access:servers!server"))
TOKEN = Role("token", "What a token may do when nothing else is said: as much as its owner.", (INHERIT,))

DEFAULT_ROLES: Mapping[str, Role] = MappingProxyType(
    {role.name: role for role in (USER, ADMIN, SERVER, TOKEN)}
)


def scopes_of_user(name: str, admin: bool) -> frozenset[str]:
    """Return the expanded scopes that the built-in roles give to a user."""
    scopes = expand(USER.scopes, name)
    return reduce(scopes | expand(ADMIN.scopes, name)) if admin else scopes


def scopes_of_token(
    granted: Iterable[str], held: frozenset[str], owner: str, server: str | None = None
) -> frozenset[str]:
    """Return the expanded scopes of a user's token: never more than its owner holds.

    `granted` is what the token was made with, `held` the owner's expanded scopes now, `server` the full name
    of the server whose token it is. Every token may tell whose it is.
    """
    scopes = frozenset(granted)
    if INHERIT in scopes:
        return held
    return reduce(intersect(expand(scopes, owner, server=server), held) | _identify(owner))


def scopes_of_server_token(user: str, server: str = "") -> frozenset[str]:
    """Return the expanded scopes of the token that a server of `user` runs with."""
    return reduce(expand(SERVER.scopes, user, server=full_name(user, server)) | _identify(user))


def _identify(owner: str) -> frozenset[str]:
    return frozenset(f"{name}!user={owner}" for name in IDENTIFY_SCOPES)
