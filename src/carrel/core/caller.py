"""Who is asking, and what they may do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.domain.errors import Forbidden, NotFound, Unauthenticated
from carrel.domain.scopes import Scopes
from carrel.domain.tokens import Token
from carrel.domain.users import User


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whose token or session was good a moment ago."""

    user: User
    scopes: Scopes
    token: Token | None = None
    """The API token in use; None for a browser's session."""
    session_id: str | None = None
    session_hash: str | None = None
    """The digest of the log-in cookie's secret, for ending that session."""

    def may(self, scope: str, *, user: str | None = None, server: str | None = None) -> bool:
        """Tell whether `scope` is held for a user, or for a server named `user/server`."""
        return self.scopes.allows(scope, user=user, server=server)

    def require(self, *scopes: str, user: str | None = None, server: str | None = None) -> None:
        """Return when any of `scopes` is held for the resource.

        Raises NotFound when one is held, but for other resources (so that names do not leak), and Forbidden
        when none is held at all: the two answers that JupyterHub gives.
        """
        if any(self.may(scope, user=user, server=server) for scope in scopes):
            return
        self.require_any(scopes)
        raise NotFound("No access to resources or resources not found")

    def require_any(self, scopes: Sequence[str]) -> None:
        """Return when any of `scopes` is held for anything at all; raise Forbidden otherwise."""
        if not any(self.scopes.grant(scope) is not None for scope in scopes):
            wanted = ", ".join(scopes)
            raise Forbidden(f"Action is not authorized with current scopes; requires any of [{wanted}]")


def identified(caller: Caller | None) -> Caller:
    """Return `caller`; raise Unauthenticated when there is none."""
    if caller is None:
        raise Unauthenticated("Missing or invalid credentials.")
    return caller
