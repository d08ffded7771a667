"""Who is asking, and what they may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from carrel.domain.errors import Forbidden, LacksScope, NoAccess, Unauthenticated
from carrel.domain.roles import ADMIN
from carrel.domain.scopes import Scopes
from carrel.domain.services import Service, ServiceToken
from carrel.domain.tokens import Token
from carrel.domain.users import User


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token or session was good a moment ago."""

    owner: User | Service
    """The user or service who asks: whose the token or session is."""
    scopes: Scopes
    token: Token | ServiceToken | None = None
    """The API token in use; None for a browser's session."""
    session_id: str | None = None
    session_hash: str | None = None
    """The digest of the log-in cookie's secret, for ending that session."""

    groups: tuple[str, ...] = ()
    """The groups that the user is in."""
    roles: tuple[str, ...] = ()
    """The roles that the user has of their own, beside `user` and `admin`."""
    watches: frozenset[str] = frozenset()
    """The groups on whose members it depends what the caller may do."""
    owners: frozenset[int] = frozenset()
    """Other users, by id, on whose rights it depends: those whose servers are shared with the caller."""
    groups_of: Mapping[str, Collection[str]] = field(default_factory=dict)
    """The groups of other users, as far as they were looked up; see `core.access.towards`."""

    @property
    def user(self) -> User:
        """The user who asks; raises Forbidden for a service, which has nothing that a user has."""
        if isinstance(self.owner, User):
            return self.owner
        raise Forbidden("This is for users, and a service asks.")

    @property
    def service(self) -> Service | None:
        """The service that asks; None when a user does."""
        return self.owner if isinstance(self.owner, Service) else None

    @property
    def name(self) -> str:
        """The name of who asks; a user and a service may have the same."""
        return self.owner.name

    @property
    def kind(self) -> str:
        """`user` or `service`, as answers say it."""
        return "user" if isinstance(self.owner, User) else "service"

    def is_user(self, name: str | None) -> bool:
        """Tell whether the user of this name asks, and no service that is called alike."""
        return self.owner.name == name and isinstance(self.owner, User)

    @property
    def is_admin(self) -> bool:
        """Whether an admin asks, and not with a token that may do less."""
        return self.owner.admin and all(map(self.scopes.covers, ADMIN.scopes))

    def may(
        self,
        scope: str,
        *,
        user: str | None = None,
        server: str | None = None,
        group: str | None = None,
        service: str | None = None,
    ) -> bool:
        """Tell whether `scope` is held for a user, a server named `user/server`, a group or a service.

        Without any of them only the unfiltered scope will do.
        """
        # What is nearly always so: a page of users asks this a thousand times.
        if scope in self.scopes.everywhere:
            return True
        if scope not in self.scopes.held:
            return False
        groups: Collection[str] = ()
        if self.scopes.group_filters:
            owner = user if server is None else server.partition("/")[0]
            groups = self.groups if self.is_user(owner) else self.groups_of.get(owner or "", ())
        return self.scopes.allows(
            scope, user=user, server=server, group=group, service=service, groups=groups
        )

    def covers(self, scope: str) -> bool:
        """Tell whether a scope with its filter (`users!user=ada`), expanded, is held; admins hold all."""
        own = {self.owner.name: self.groups} if isinstance(self.owner, User) else {}
        return self.is_admin or self.scopes.covers(scope, {**self.groups_of, **own})

    def require(
        self,
        *scopes: str,
        user: str | None = None,
        server: str | None = None,
        group: str | None = None,
        service: str | None = None,
    ) -> None:
        """Return when any of `scopes` is held for the resource.

        Raises NotFound when one is held, but for other resources than the one that is named (so that names do
        not leak), and Forbidden otherwise: the two answers that JupyterHub gives.
        """
        if any(self.may(scope, user=user, server=server, group=group, service=service) for scope in scopes):
            return
        if any(resource is not None for resource in (user, server, group, service)):
            self.require_any(scopes)
            raise NoAccess
        raise LacksScope(scopes)

    def require_any(self, scopes: Sequence[str]) -> None:
        """Return when any of `scopes` is held for anything at all; raise Forbidden otherwise."""
        if not any(self.scopes.grant(scope) is not None for scope in scopes):
            raise LacksScope(scopes)


def identified(caller: Caller | None) -> Caller:
    """Return `caller`; raise Unauthenticated when there is none."""
    if caller is None:
        raise Unauthenticated("Missing or invalid credentials.")
    return caller
