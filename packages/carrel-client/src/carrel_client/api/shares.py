"""Calls about sharing servers, with people and groups or by a code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from carrel_client.api.calls import Call, Listing, given, path
from carrel_client.api.models import Share, ShareCode


def of_server(owner: str, name: str | None = None) -> Listing[Share]:
    """Return who may use a server, or with no name any of the owner's; '' is the default server."""
    return Listing(_place("shares", owner, name), Share)


def with_user(user: str) -> Listing[Share]:
    """Return what is shared with a user."""
    return Listing(path("users", user, "shared"), Share)


def with_group(group: str) -> Listing[Share]:
    """Return what is shared with a group."""
    return Listing(path("groups", group, "shared"), Share)


def grant(
    owner: str,
    name: str = "",
    *,
    user: str | None = None,
    group: str | None = None,
    scopes: Iterable[str] | None = None,
) -> Call[Share]:
    """Share a server with one user or one group. May be repeated."""
    return Call("POST", _place("shares", owner, name), Share, _whom(user, group, scopes))


def revoke(owner: str, name: str = "", *, user: str | None = None, group: str | None = None) -> Call[None]:
    """End sharing a server with one user or one group. May be repeated."""
    return Call("PATCH", _place("shares", owner, name), body=_whom(user, group, None))


def revoke_all(owner: str, name: str = "") -> Call[None]:
    """End sharing a server with anybody."""
    return Call("DELETE", _place("shares", owner, name))


def codes(owner: str, name: str | None = None) -> Listing[ShareCode]:
    """Return the invitations to a server, or with no name to any of the owner's."""
    return Listing(_place("share-codes", owner, name), ShareCode)


def create_code(
    owner: str, name: str = "", *, expires_in: int | None = None, scopes: Iterable[str] | None = None
) -> Call[ShareCode]:
    """Make an invitation for `expires_in` seconds, by default a day."""
    body = given(expires_in=expires_in, scopes=None if scopes is None else list(scopes))
    return Call("POST", _place("share-codes", owner, name), ShareCode, body)


def revoke_codes(owner: str, name: str = "", *, code_id: str | None = None) -> Call[None]:
    """Revoke an invitation, or all of a server's."""
    return Call("DELETE", _place("share-codes", owner, name), query=given(id=code_id))


def _place(kind: str, owner: str, name: str | None) -> str:
    return path(kind, owner) if name is None else path(kind, owner, name)


def _whom(user: str | None, group: str | None, scopes: Iterable[str] | None) -> dict[str, Any]:
    if (user is None) == (group is None):
        raise ValueError("name either a user or a group")
    return given(user=user, group=group, scopes=None if scopes is None else list(scopes))
