"""Calls about groups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from carrel_client.api.calls import Call, Listing, path
from carrel_client.api.models import Group


def find() -> Listing[Group]:
    """Return all groups."""
    return Listing("/groups", Group)


def get(name: str) -> Call[Group]:
    """Return one group."""
    return Call("GET", path("groups", name), Group)


def create(name: str, users: Iterable[str] = ()) -> Call[Group]:
    """Make a group. Conflict when there is one of this name."""
    return Call("POST", path("groups", name), Group, {"users": list(users)})


def delete(name: str) -> Call[None]:
    """Delete a group."""
    return Call("DELETE", path("groups", name))


def add(name: str, users: Iterable[str]) -> Call[Group]:
    """Add users to a group. May be repeated."""
    return Call("POST", path("groups", name, "users"), Group, {"users": list(users)})


def remove(name: str, users: Iterable[str]) -> Call[Group]:
    """Remove users from a group. May be repeated."""
    return Call("DELETE", path("groups", name, "users"), Group, {"users": list(users)})


def set_properties(name: str, properties: Mapping[str, Any]) -> Call[Group]:
    """Replace a group's properties. May be repeated."""
    return Call("PUT", path("groups", name, "properties"), Group, dict(properties))
