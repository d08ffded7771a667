"""Calls about users."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from carrel_client.api.calls import Call, Listing, given, path, question
from carrel_client.api.models import Identity, User


def me() -> Call[Identity]:
    """Return whoever holds the token in use."""
    return Call("GET", "/user", Identity)


def find(
    *, state: str | None = None, name: str | None = None, sort: str | None = None, stopped: bool = False
) -> Listing[User]:
    """Return all users, or some: `state` is active, ready or inactive, `name` a part of the name.

    `sort` is id, name or last_activity, with `-` for the other way round; `stopped` shows stopped servers.
    """
    query = question(state=state, name_filter=name, sort=sort, include_stopped_servers=stopped)
    return Listing("/users", User, query)


def get(name: str, *, stopped: bool = False) -> Call[User]:
    """Return one user. NotFound when there is none, or none that the caller may see."""
    return Call("GET", path("users", name), User, query=question(include_stopped_servers=stopped))


def create(name: str, *, admin: bool = False) -> Call[User]:
    """Make a user. Conflict when there is one of this name."""
    return Call("POST", path("users", name), User, {"admin": True} if admin else None)


def create_many(names: Iterable[str], *, admin: bool = False) -> Call[list[User]]:
    """Make those users that do not exist yet. Conflict when all do."""
    return Call("POST", "/users", list[User], {"usernames": list(names), "admin": admin})


def change(
    name: str, *, new_name: str | None = None, admin: bool | None = None, auth_state: Any = None
) -> Call[User]:
    """Change what is given."""
    body = given(name=new_name, admin=admin, auth_state=auth_state)
    return Call("PATCH", path("users", name), User, body)


def delete(name: str) -> Call[None]:
    """Delete a user and stop what they run."""
    return Call("DELETE", path("users", name))
