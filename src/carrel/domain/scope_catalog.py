"""The table of all scopes: what each one allows, and which others come with it.

Names and hierarchy are JupyterHub's; clients, configs and stored tokens depend on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ScopeInfo:
    """One row: what the scope allows, in a line, and the scopes that it brings along."""

    name: str
    text: str
    subscopes: tuple[str, ...] = ()


#: All that the owner may do for themselves; replaced by real scopes when it is expanded.
SELF = "self"
#: In a token: whatever its owner may do at the moment of the request.
INHERIT = "inherit"
#: A placeholder that allows nothing beyond knowing who the owner is.
NO_SCOPE = "(no_scope)"

METASCOPES = frozenset({SELF, INHERIT, NO_SCOPE})

_ROWS = (
    ScopeInfo(NO_SCOPE, "Know who you are, and nothing else."),
    ScopeInfo(SELF, "Everything that a person may do with their own account, servers and tokens."),
    ScopeInfo(INHERIT, "Whatever the owner of the token may do."),
    ScopeInfo("admin-ui", "Open the administration page; what it shows still needs the scopes for it."),
    ScopeInfo(
        "admin:users",
        "Create, change and remove users, and see all that is stored about them.",
        ("admin:auth_state", "users", "read:roles:users", "delete:users"),
    ),
    ScopeInfo("admin:auth_state", "Read the state that log-in left with a user, such as access tokens."),
    ScopeInfo(
        "users",
        "See and change users, without creating, removing or seeing secrets.",
        ("read:users", "list:users", "users:activity"),
    ),
    ScopeInfo("delete:users", "Remove users."),
    ScopeInfo("list:users", "List users, with their names.", ("read:users:name",)),
    ScopeInfo(
        "read:users",
        "See users: names, groups and times of last activity.",
        ("read:users:name", "read:users:groups", "read:users:activity"),
    ),
    ScopeInfo("read:users:name", "See the names of users."),
    ScopeInfo("read:users:groups", "See which groups users are in."),
    ScopeInfo("read:users:activity", "See when users were last active."),
    ScopeInfo(
        "read:roles",
        "See who has which roles.",
        ("read:roles:users", "read:roles:services", "read:roles:groups"),
    ),
    ScopeInfo("read:roles:users", "See the roles of users."),
    ScopeInfo("read:roles:services", "See the roles of services."),
    ScopeInfo("read:roles:groups", "See the roles of groups."),
    ScopeInfo("users:activity", "Report that a user was active.", ("read:users:activity",)),
    ScopeInfo(
        "admin:servers",
        "Do everything with servers, and see the state that finds them again.",
        ("admin:server_state", "servers"),
    ),
    ScopeInfo("admin:server_state", "See the state by which a spawner finds a server again."),
    ScopeInfo(
        "servers",
        "Start and stop servers.",
        ("read:servers", "start:servers", "delete:servers"),
    ),
    ScopeInfo("read:servers", "See servers and their owners' names.", ("read:users:name",)),
    ScopeInfo("start:servers", "Start servers."),
    ScopeInfo("delete:servers", "Stop servers and remove them."),
    ScopeInfo("tokens", "See, make and revoke API tokens.", ("read:tokens",)),
    ScopeInfo("read:tokens", "See which API tokens there are, never their secrets."),
    ScopeInfo(
        "admin:groups",
        "Create, change and remove groups.",
        ("groups", "read:roles:groups", "delete:groups"),
    ),
    ScopeInfo("groups", "See groups; add and remove their members.", ("read:groups", "list:groups")),
    ScopeInfo("list:groups", "List groups, with their names.", ("read:groups:name",)),
    ScopeInfo("read:groups", "See groups and who is in them.", ("read:groups:name",)),
    ScopeInfo("read:groups:name", "See the names of groups."),
    ScopeInfo("delete:groups", "Remove groups."),
    ScopeInfo(
        "admin:services",
        "Add, change and remove services.",
        ("list:services", "read:services", "read:roles:services"),
    ),
    ScopeInfo("list:services", "List services, with their names.", ("read:services:name",)),
    ScopeInfo("read:services", "See services and how they are set up.", ("read:services:name",)),
    ScopeInfo("read:services:name", "See the names of services."),
    ScopeInfo("read:hub", "See the hub's version and which parts it runs with."),
    ScopeInfo("access:servers", "Open servers through the browser or their API."),
    ScopeInfo("access:services", "Open services through the browser or their API."),
    ScopeInfo("users:shares", "See and give up what is shared with a user.", ("read:users:shares",)),
    ScopeInfo("read:users:shares", "See what is shared with a user."),
    ScopeInfo("groups:shares", "See and give up what is shared with a group.", ("read:groups:shares",)),
    ScopeInfo("read:groups:shares", "See what is shared with a group."),
    ScopeInfo("read:shares", "See with whom a server is shared."),
    ScopeInfo(
        "shares",
        "Share access to servers, and take it back.",
        ("access:servers", "read:shares", "users:shares", "groups:shares"),
    ),
    ScopeInfo("proxy", "See the proxy's routes and bring them up to date."),
    ScopeInfo("shutdown", "Shut the hub down."),
    ScopeInfo("read:metrics", "Read the hub's metrics."),
)

#: Every scope by its name.
SCOPES: Mapping[str, ScopeInfo] = MappingProxyType({row.name: row for row in _ROWS})

#: What `self` stands for, each for the owner alone.
SELF_SCOPES = (
    "access:servers",
    "read:shares",
    "read:users",
    "servers",
    "tokens",
    "users:activity",
    "users:shares",
)

#: What every token of a person tells about that person.
IDENTIFY_SCOPES = ("read:users:name", "read:users:groups")


@dataclass(frozen=True, slots=True)
class Catalog:
    """The scopes of one hub: the built-in ones and those that its configuration adds."""

    scopes: Mapping[str, ScopeInfo]
    """Every scope by its name."""
    closure: Mapping[str, frozenset[str]]
    """Every scope with all that it brings along, itself included."""

    def with_custom(self, custom: Iterable[ScopeInfo]) -> Catalog:
        """Return a catalog with more scopes; subscopes that it does not know are left out."""
        return _catalog({**self.scopes, **{row.name: row for row in custom}})


def _catalog(scopes: Mapping[str, ScopeInfo]) -> Catalog:
    closure = {name: _with_subscopes(scopes, name) for name in scopes}
    return Catalog(MappingProxyType(dict(scopes)), MappingProxyType(closure))


def _with_subscopes(scopes: Mapping[str, ScopeInfo], name: str) -> frozenset[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        # Scopes of a configuration may bring each other along.
        if (each := waiting.pop()) in scopes and each not in found:
            found.add(each)
            waiting += scopes[each].subscopes
    return frozenset(found)


BUILT_IN = _catalog(SCOPES)
#: What each built-in scope brings along, itself included.
CLOSURE = BUILT_IN.closure
