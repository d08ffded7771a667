"""Scopes: read them, expand them, intersect them, ask them. Pure functions on `name!filter=value` strings.

A filter narrows a scope to one user, server (`user/server`), group or service. Without a value (`!user`) it
means the owner's own, until `expand` fills it in. A set of scopes is *expanded* when it holds every subscope,
no metascope and no filter without a value; `intersect` and everything that answers a question expect that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from carrel.domain.errors import Invalid
from carrel.domain.scope_catalog import BUILT_IN, INHERIT, METASCOPES, SELF, SELF_SCOPES, Catalog

FILTERS = ("user", "server", "group", "service")
#: Those whose value is a user, or belongs to one.
_OF_USERS = ("user", "server")
_NOTHING: frozenset[str] = frozenset()
_NOBODY: Mapping[str, Collection[str]] = MappingProxyType({})


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


def parse(text: str, catalog: Catalog = BUILT_IN) -> Scope:
    """Return the parts of a scope; raise Invalid when there is no such scope or filter."""
    name, bang, condition = text.partition("!")
    if name not in catalog.scopes:
        raise Invalid(f"There is no scope {_quote(name)}.{_suggest(name, catalog.scopes)}")
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


def known(scopes: Iterable[str], catalog: Catalog = BUILT_IN) -> list[str]:
    """Return the scopes that exist: what was stored may name some that the configuration has dropped."""
    return [text for text in scopes if text.partition("!")[0] in catalog.scopes]


def expand(
    scopes: Iterable[str],
    owner: str | None = None,
    *,
    server: str | None = None,
    service: str | None = None,
    catalog: Catalog = BUILT_IN,
) -> frozenset[str]:
    """Return `scopes` with all subscopes, `self` and filters without a value filled in, reduced.

    `owner` is a user's name, `server` a full name (`user/server`). What lacks its owner, server or service
    grants nothing. `inherit` grants nothing here: whoever knows the owner's scopes handles it.
    Raises Invalid for an unknown scope.
    """
    own = {"user": owner, "server": server, "service": service}
    expanded: list[Scope] = []
    for text in scopes:
        scope = parse(text, catalog)
        if scope.name == SELF:
            if owner is not None:
                for name in SELF_SCOPES:
                    expanded.extend(_with_subscopes(Scope(name, "user", owner), catalog))
            continue
        if scope.name in METASCOPES:
            continue
        if scope.filter is not None and scope.value is None:
            value = own[scope.filter]
            if value is None:
                continue
            scope = Scope(scope.name, scope.filter, value)
        expanded.extend(_with_subscopes(scope, catalog))
    return _unindex(_index_parsed(expanded))


def reduce(scopes: Iterable[str]) -> frozenset[str]:
    """Return the same rights without scopes that another one in the set covers already."""
    return _unindex(_index(scopes))


def intersect(
    a: Iterable[str], b: Iterable[str], groups: Mapping[str, Collection[str]] = _NOBODY
) -> frozenset[str]:
    """Return what both expanded sets allow, reduced.

    `groups` tells which groups a user is in: `!group=g` and `!user=alice` have alice in common when she is
    in `g`, and nothing otherwise. `users_named` says whose groups matter.
    """
    left, right = _index(a), _index(b)
    return _unindex(
        {name: _meet(grant, right[name], groups) for name, grant in left.items() if name in right}
    )


def users_named(scopes: Iterable[str]) -> frozenset[str]:
    """Return the users whom filters of expanded scopes name, by themselves or as owners of servers."""
    parts = map(_split, scopes)
    return frozenset(_owner(scope) for scope in parts if scope.filter in _OF_USERS and scope.value)


def access_scopes(user: str, server: str = "") -> tuple[str, str]:
    """Return the scopes that open a server: any one of them admits a visitor."""
    return f"access:servers!server={user}/{server}", f"access:servers!user={user}"


def groups_named(scopes: Iterable[str]) -> frozenset[str]:
    """Return the groups that filters name."""
    return frozenset(scope.value for scope in map(_split, scopes) if scope.filter == "group" and scope.value)


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

    __slots__ = ("_index", "everywhere", "group_filters", "names", "ordered")

    def __init__(self, scopes: Iterable[str]) -> None:
        self.names = frozenset(scopes)
        """The scopes as strings, as given."""
        self.ordered = sorted(self.names)
        """The same in the order of the alphabet, as answers list them."""
        self._index: Mapping[str, Grant] = _index(self.names)
        self.everywhere = frozenset(name for name, grant in self._index.items() if grant.everything)
        """The bare names of the scopes that are held for everything."""
        self.group_filters: frozenset[str] = frozenset().union(
            *(grant.groups for grant in self._index.values())
        )
        """The groups on whose members some scope depends."""

    @property
    def held(self) -> Collection[str]:
        """Return the bare names of the scopes that are held for anything at all."""
        return self._index.keys()

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

    def covers(self, scope: str, groups: Mapping[str, Collection[str]] = _NOBODY) -> bool:
        """Tell whether an expanded scope with its filter (`users!user=alice`) is held.

        `groups` tells which groups a user is in.
        """
        asked = _split(scope)
        grant = self._index.get(asked.name)
        if grant is None:
            return False
        if grant.everything or asked.filter is None or asked.value is None:
            return grant.everything
        held: frozenset[str] = getattr(grant, f"{asked.filter}s")
        if asked.value in held or asked.filter not in _OF_USERS:
            return asked.value in held
        owner = _owner(asked)
        return owner in grant.users or not grant.groups.isdisjoint(groups.get(owner, ()))


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


def _owner(scope: Scope) -> str:
    return (scope.value or "").partition("/")[0] if scope.filter == "server" else scope.value or ""


def _split(text: str) -> Scope:
    """Return the parts of a scope that is known to be right."""
    name, bang, condition = text.partition("!")
    kind, equals, value = condition.partition("=")
    return Scope(name, kind if bang else None, value if equals else None)


def _with_subscopes(scope: Scope, catalog: Catalog) -> Iterable[Scope]:
    names: Iterable[str] = catalog.closure[scope.name]
    if scope.filter == "server":
        # One server says nothing about its owner.
        names = frozenset(name for name in names if name == scope.name or not name.startswith("read:users"))
    return (Scope(name, scope.filter, scope.value) for name in names)


def _index(scopes: Iterable[str]) -> dict[str, Grant]:
    return _index_parsed(map(_split, scopes))


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


def _meet(a: Grant, b: Grant, groups: Mapping[str, Collection[str]]) -> Grant:
    if a.everything:
        return b
    if b.everything:
        return a
    users, servers = set(a.users & b.users), set(a.servers & b.servers)
    for one, other in ((a, b), (b, a)):

        def reached(owner: str, other: Grant = other) -> bool:
            return owner in other.users or not other.groups.isdisjoint(groups.get(owner, ()))

        users |= set(filter(reached, one.users))
        servers |= {name for name in one.servers if reached(name.partition("/")[0])}
    return _grant(users, servers, set(a.groups & b.groups), set(a.services & b.services))


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
    "groups_named",
    "intersect",
    "known",
    "parse",
    "reduce",
    "users_named",
]
