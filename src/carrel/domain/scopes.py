"""Scopes: read them, expand them, intersect them, ask them. Pure functions on `name!filter=value` strings.

A filter narrows a scope to one user, server (`user/server`), group or service. Without a value (`!user`) it
means the owner's own, until `expand` fills it in. A set of scopes is *expanded* when it holds every subscope,
no metascope and no filter without a value; `intersect` and everything that answers a question expect that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from carrel.domain.errors import Invalid
from carrel.domain.scope_catalog import CLOSURE, INHERIT, METASCOPES, SCOPES, SELF, SELF_SCOPES

FILTERS = ("user", "server", "group", "service")
_NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope in its parts; `value` None beside a `filter` means the owner's own."""

    name: str
    filter: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        if self.filter is None:
            return self.name
        return f"{self.name}!{self.filter}" + ("" if self.value is None else f"={self.value}")


def parse(text: str) -> Scope:
    """Return the parts of a scope; raise Invalid when there is no such scope or filter."""
    name, bang, condition = text.partition("!")
    if name not in SCOPES:
        raise Invalid(f"There is no scope {_quote(name)}.{_suggest(name, SCOPES)}")
    if not bang:
        return Scope(name)
    if name in METASCOPES:
        raise Invalid(f"The scope {name!r} takes no filter; write it alone.")
    kind, equals, value = condition.partition("=")
    if kind not in FILTERS:
        raise Invalid(
            f"There is no filter {_quote(kind)} in scope {_quote(text)}.{_suggest(kind, FILTERS)}"
            " Filters are !user, !server, !group and !service."
        )
    if equals and not value:
        raise Invalid(f"The filter of scope {_quote(text)} is empty: write !{kind}=NAME.")
    if not equals:
        if kind == "group":
            raise Invalid(f"The scope {_quote(text)} must name its group: write !group=NAME.")
        return Scope(name, kind)
    if kind == "server" and not value.partition("/")[1]:
        raise Invalid(f"The scope {_quote(text)} names its server as USER/SERVER (USER/ for the default).")
    return Scope(name, kind, value)


def expand(
    scopes: Iterable[str],
    owner: str | None = None,
    *,
    server: str | None = None,
    service: str | None = None,
) -> frozenset[str]:
    """Return `scopes` with all subscopes, `self` and filters without a value filled in, reduced.

    `owner` is a user's name, `server` a full name (`user/server`). What lacks its owner, server or service
    grants nothing. `inherit` grants nothing here: whoever knows the owner's scopes handles it.
    Raises Invalid for an unknown scope.
    """
    own = {"user": owner, "server": server, "service": service}
    expanded: list[Scope] = []
    for text in scopes:
        scope = parse(text)
        if scope.name == SELF:
            if owner is not None:
                for name in SELF_SCOPES:
                    expanded.extend(_with_subscopes(Scope(name, "user", owner)))
            continue
        if scope.name in METASCOPES:
            continue
        if scope.filter is not None and scope.value is None:
            value = own[scope.filter]
            if value is None:
                continue
            scope = Scope(scope.name, scope.filter, value)
        expanded.extend(_with_subscopes(scope))
    return _unindex(_index_parsed(expanded))


def reduce(scopes: Iterable[str]) -> frozenset[str]:
    """Return the same rights without scopes that another one in the set covers already."""
    return _unindex(_index(scopes))


def intersect(a: Iterable[str], b: Iterable[str]) -> frozenset[str]:
    """Return what both expanded sets allow, reduced.

    A group's filter meets only the same group's: who is in it is not known here, so `!group=g` and
    `!user=alice` have nothing in common.
    """
    left, right = _index(a), _index(b)
    return _unindex({name: _meet(grant, right[name]) for name, grant in left.items() if name in right})


def access_scopes(user: str, server: str = "") -> tuple[str, str]:
    """Return the scopes that open a server: any one of them admits a visitor."""
    return f"access:servers!server={user}/{server}", f"access:servers!user={user}"


@dataclass(frozen=True, slots=True)
class Grant:
    """To what one scope applies: everything, or the named users, servers, groups and services."""

    everything: bool = False
    users: frozenset[str] = _NOTHING
    servers: frozenset[str] = _NOTHING
    groups: frozenset[str] = _NOTHING
    services: frozenset[str] = _NOTHING


class Scopes:
    """One caller's expanded scopes with an index, so that each question costs a look-up."""

    __slots__ = ("_index", "names", "ordered")

    def __init__(self, scopes: Iterable[str]) -> None:
        self.names = frozenset(scopes)
        """The scopes as strings, as given."""
        self.ordered = sorted(self.names)
        """The same in the order of the alphabet, as answers list them."""
        self._index: Mapping[str, Grant] = _index(self.names)

    def grant(self, scope: str) -> Grant | None:
        """Return to what the scope of this bare name applies; None when it is not held at all."""
        return self._index.get(scope)

    def allows(
        self,
        scope: str,
        *,
        user: str | None = None,
        server: str | None = None,
        group: str | None = None,
        service: str | None = None,
        groups: Iterable[str] = (),
    ) -> bool:
        """Tell whether the scope of this bare name is held for the resource asked about.

        `server` is a full name (`user/server`); `groups` are the groups that the user, or the server's owner,
        is in. Without a resource only the unfiltered scope will do. A resource is of one kind, so asking
        about several at once is refused with ValueError.
        """
        kinds = (user is not None or server is not None) + (group is not None) + (service is not None)
        if kinds > 1:
            raise ValueError("Ask about one resource: a user or server, a group, or a service.")
        owner = user
        if server is not None:
            owner, slash, _ = server.partition("/")
            if not slash or user not in {None, owner}:
                raise ValueError("Name a server in full, user/server, and only its own user.")
        grant = self._index.get(scope)
        if grant is None:
            return False
        return (
            grant.everything
            or owner in grant.users
            or server in grant.servers
            or group in grant.groups
            or service in grant.services
            or (owner is not None and not grant.groups.isdisjoint(groups))
        )

    def covers(self, scope: str) -> bool:
        """Tell whether a scope with its filter (`users!user=alice`) is held; raise Invalid if unknown."""
        asked = parse(scope)
        grant = self._index.get(asked.name)
        if grant is None:
            return False
        if grant.everything or asked.filter is None or asked.value is None:
            return grant.everything
        if asked.filter == "server":
            return asked.value in grant.servers or asked.value.partition("/")[0] in grant.users
        held: frozenset[str] = getattr(grant, f"{asked.filter}s")
        return asked.value in held

    def visible_users(self, scope: str) -> frozenset[str] | None:
        """Return the names of the users to whom `scope` applies; None means all of them.

        Users who are reached through a `!group` filter are not among the names: see `grant(scope).groups`.
        """
        grant = self._index.get(scope)
        if grant is None:
            return _NOTHING
        return None if grant.everything else grant.users


def allows(
    held: Iterable[str],
    scope: str,
    *,
    user: str | None = None,
    server: str | None = None,
    group: str | None = None,
    service: str | None = None,
) -> bool:
    """Answer `Scopes(held).allows(...)` for one question; who asks often builds a Scopes once."""
    return Scopes(held).allows(scope, user=user, server=server, group=group, service=service)


def visible_users(held: Iterable[str], scope: str) -> frozenset[str] | None:
    """Answer `Scopes(held).visible_users(scope)` for one question."""
    return Scopes(held).visible_users(scope)


def _with_subscopes(scope: Scope) -> Iterable[Scope]:
    names = CLOSURE[scope.name]
    if scope.filter == "server" and scope.name != "read:users:name":
        # One server says nothing about its owner.
        names = names - {"read:users:name"}
    return (Scope(name, scope.filter, scope.value) for name in names)


def _index(scopes: Iterable[str]) -> dict[str, Grant]:
    return _index_parsed(map(parse, scopes))


def _index_parsed(scopes: Iterable[Scope]) -> dict[str, Grant]:
    everything: set[str] = set()
    filtered: dict[str, dict[str, set[str]]] = {}
    for scope in scopes:
        if scope.name in METASCOPES:
            continue
        if scope.filter is None:
            everything.add(scope.name)
        elif scope.value is not None:
            kinds = filtered.setdefault(scope.name, {kind: set() for kind in FILTERS})
            kinds[scope.filter].add(scope.value)
    index = {name: Grant(everything=True) for name in everything}
    for name, kinds in filtered.items():
        if name not in index:
            index[name] = _grant(**kinds)
    return index


def _grant(user: set[str], server: set[str], group: set[str], service: set[str]) -> Grant:
    servers = {name for name in server if name.partition("/")[0] not in user}
    return Grant(False, frozenset(user), frozenset(servers), frozenset(group), frozenset(service))


def _meet(a: Grant, b: Grant) -> Grant:
    if a.everything:
        return b
    if b.everything:
        return a
    servers = a.servers & b.servers
    servers |= {name for name in a.servers if name.partition("/")[0] in b.users}
    servers |= {name for name in b.servers if name.partition("/")[0] in a.users}
    return Grant(False, a.users & b.users, servers, a.groups & b.groups, a.services & b.services)


def _unindex(index: Mapping[str, Grant]) -> frozenset[str]:
    texts: set[str] = set()
    for name, grant in index.items():
        if grant.everything:
            texts.add(name)
            continue
        for kind in FILTERS:
            texts.update(f"{name}!{kind}={value}" for value in getattr(grant, f"{kind}s"))
    return frozenset(texts)


def _quote(text: str) -> str:
    # What somebody sent may be of any length; an answer and a log line are not.
    return repr(text if len(text) <= 80 else text[:80] + "…")


def _suggest(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word[:80], list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


__all__ = [
    "FILTERS",
    "INHERIT",
    "Grant",
    "Scope",
    "Scopes",
    "access_scopes",
    "allows",
    "expand",
    "intersect",
    "parse",
    "reduce",
    "visible_users",
]
