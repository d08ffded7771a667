"""A small model of who may do what, written from JupyterHub's documentation and not from our code.

It knows scopes as triples (name, kind of filter, value) and answers by looking through all of them. It is
slow and has no cleverness to be wrong in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Atom = tuple[str, str, str]
"""A scope's name, its filter's kind and value; both empty for none."""

#: "Scope → what it includes", as the table of the documentation has it.
INCLUDES: Mapping[str, str] = {
    "admin:users": "admin:auth_state users read:roles:users delete:users",
    "users": "read:users list:users users:activity",
    "list:users": "read:users:name",
    "read:users": "read:users:name read:users:groups read:users:activity",
    "read:roles": "read:roles:users read:roles:services read:roles:groups",
    "users:activity": "read:users:activity",
    "admin:servers": "admin:server_state servers",
    "servers": "read:servers start:servers delete:servers",
    "read:servers": "read:users:name",
    "tokens": "read:tokens",
    "admin:groups": "groups read:roles:groups delete:groups",
    "groups": "read:groups list:groups",
    "list:groups": "read:groups:name",
    "read:groups": "read:groups:name",
    "admin:services": "list:services read:services read:roles:services",
    "list:services": "read:services:name",
    "read:services": "read:services:name",
    "users:shares": "read:users:shares",
    "groups:shares": "read:groups:shares",
    "shares": "access:servers read:shares users:shares groups:shares",
}
SELF = "read:users users:shares read:shares users:activity servers tokens access:servers"
ADMIN = (
    "admin-ui admin:users admin:servers admin:services tokens admin:groups list:services read:services "
    "read:hub proxy shutdown access:services access:servers read:roles read:metrics shares"
)


def expand(scopes: Iterable[str], owner: str) -> set[Atom]:
    """Return all that scopes as written give to `owner`."""
    atoms: set[Atom] = set()
    for text in scopes:
        if text == "self":
            atoms |= expand([f"{name}!user={owner}" for name in SELF.split()], owner)
            continue
        name, _, condition = text.partition("!")
        kind, _, value = condition.partition("=")
        if condition == "user":
            value = owner
        atoms |= {(each, kind, value) for each in _closure(name, kind)}
    return atoms


def _closure(name: str, kind: str) -> set[str]:
    found = {name}
    for each in INCLUDES.get(name, "").split():
        # One server says nothing of its owner.
        if not (kind == "server" and each.startswith("read:users")):
            found |= _closure(each, kind)
    return found


@dataclass(frozen=True)
class Gift:
    """Scopes that were shared of somebody's default server, with a user or a group."""

    owner: str
    kind: str
    """`user` or `group`."""
    receiver: str
    scopes: tuple[str, ...]
    """Without filters."""


class World:
    """Users, groups, roles and shares, all in plain sight."""

    def __init__(self) -> None:
        self.admins: set[str] = set()
        self.members: dict[str, set[str]] = {}
        """Group → users."""
        self.roles: dict[str, list[str]] = {}
        """Role → scopes as written."""
        self.of_user: dict[str, set[str]] = {}
        self.of_group: dict[str, set[str]] = {}
        self.waiting: set[str] = set()
        """Roles of a service that does not exist yet."""
        self.gifts: list[Gift] = []

    def groups_of(self, user: str) -> set[str]:
        return {group for group, members in self.members.items() if user in members}

    def held(self, user: str) -> set[Atom]:
        """Return what a user has: by roles, and what owners share with them of what those have by roles."""
        atoms = self.by_roles(user)
        mine = {("user", user), *(("group", group) for group in self.groups_of(user))}
        for gift in self.gifts:
            if (gift.kind, gift.receiver) in mine:
                owned = self.by_roles(gift.owner)
                given = expand([f"{scope}!server={gift.owner}/" for scope in gift.scopes], user)
                atoms |= {atom for atom in given if self.covers(owned, atom)}
        return atoms

    def by_roles(self, user: str) -> set[Atom]:
        """Return what a user has as everybody, by their roles, and by their groups' roles."""
        names = set(self.of_user.get(user, ()))
        for group in self.groups_of(user):
            names |= self.of_group.get(group, set())
        written = ["self", *(ADMIN.split() if user in self.admins else ())]
        for name in names:
            written += self.roles[name]
        return expand(written, user)

    def of_token(self, owner: str, scopes: Iterable[str]) -> set[Atom]:
        """Return what a token may do: what it was made for as far as its owner may, and say whose it is."""
        held, wanted = self.held(owner), list(scopes)
        if "inherit" in wanted:
            return held
        given = expand(wanted, owner)
        both = {atom for atom in given if self.covers(held, atom)}
        both |= {atom for atom in held if self.covers(given, atom)}
        return both | {(name, "user", owner) for name in ("read:users:name", "read:users:groups")}

    def covers(self, held: Iterable[Atom], asked: Atom) -> bool:
        """Tell whether a scope is among those held, or a wider one of its name is."""
        name, kind, value = asked
        owner = {"user": value, "server": value.partition("/")[0]}.get(kind)
        for held_name, held_kind, held_value in held:
            if held_name != name:
                continue
            if not held_kind or (held_kind, held_value) == (kind, value):
                return True
            if owner is not None and held_kind == "user" and held_value == owner:
                return True
            if owner is not None and held_kind == "group" and owner in self.members.get(held_value, ()):
                return True
        return False

    def may(self, held: Iterable[Atom], scopes: str, kind: str = "", value: str = "") -> bool:
        """Tell whether any of some scopes is held for a resource, or for everything."""
        atoms = list(held)
        return any(self.covers(atoms, (name, kind, value)) for name in scopes.split())

    def reached(self, held: Iterable[Atom], scope: str, kind: str, everything: Iterable[str]) -> set[str]:
        """Return those of `everything` to which a scope applies."""
        atoms = list(held)
        return {each for each in everything if self.covers(atoms, (scope, kind, each))}
