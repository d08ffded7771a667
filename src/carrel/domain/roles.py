"""Roles, and what they give to users and tokens."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from carrel.domain.errors import Invalid
from carrel.domain.names import full_name
from carrel.domain.scope_catalog import BUILT_IN, IDENTIFY_SCOPES, INHERIT, SELF, Catalog
from carrel.domain.scopes import expand, intersect, reduce

_ROLE_NAME = re.compile(r"[a-z][a-z0-9_~.-]{1,253}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Role:
    """A name for a set of scopes, as written by whoever defined it: not expanded."""

    name: str
    description: str
    scopes: tuple[str, ...]
    managed_by_auth: bool = False
    """Defined by the authenticator, and not by the configuration."""
    id: int = 0
    """Its row's; 0 for a role that is not stored."""


def check_role_name(name: str) -> str:
    """Return `name` when it may name a role (JupyterHub's rule); raise Invalid otherwise."""
    if not _ROLE_NAME.fullmatch(name):
        raise Invalid(
            "A role's name has 3 to 255 characters: lower-case letters, digits and -_~. ; "
            "it starts with a letter and ends with a letter or digit."
        )
    return name


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


def scopes_of_user(
    name: str, admin: bool, granted: Iterable[str] = USER.scopes, catalog: Catalog = BUILT_IN
) -> frozenset[str]:
    """Return a user's expanded scopes; `granted` is what their roles and those of their groups say."""
    scopes = expand(granted, name, catalog=catalog)
    return reduce(scopes | expand(ADMIN.scopes, name)) if admin else scopes


def scopes_of_service(
    name: str, admin: bool, granted: Iterable[str] = (), catalog: Catalog = BUILT_IN
) -> frozenset[str]:
    """Return a service's expanded scopes; `granted` is what its roles say. It has nothing by itself."""
    scopes = expand(granted, service=name, catalog=catalog)
    return reduce(scopes | expand(ADMIN.scopes)) if admin else scopes


def scopes_of_token(
    granted: Iterable[str],
    held: frozenset[str],
    owner: str,
    groups: Mapping[str, Collection[str]] = MappingProxyType({}),
    catalog: Catalog = BUILT_IN,
) -> frozenset[str]:
    """Return the expanded scopes of a user's token: never more than its owner holds.

    `granted` is what the token was made with, `held` the owner's expanded scopes now, `groups` the groups of
    users whom `granted` names. Every token may tell whose it is.
    """
    scopes = frozenset(granted)
    if INHERIT in scopes:
        return held
    return reduce(intersect(expand(scopes, owner, catalog=catalog), held, groups) | _identify(owner))


def scopes_of_server_token(user: str, server: str = "") -> frozenset[str]:
    """Return the expanded scopes of the token that a server of `user` runs with."""
    return reduce(expand(SERVER.scopes, user, server=full_name(user, server)) | _identify(user))


def _identify(owner: str) -> frozenset[str]:
    return frozenset(f"{name}!user={owner}" for name in IDENTIFY_SCOPES)
