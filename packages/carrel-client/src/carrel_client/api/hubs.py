"""Calls about the hub itself and its data plane."""

from __future__ import annotations

from carrel_client.api.calls import Call
from carrel_client.api.models import Info, Route, Version


def version() -> Call[Version]:
    """Return the hub's version; needs no token."""
    return Call("GET", "/", Version)


def info() -> Call[Info]:
    """Return what the hub runs on."""
    return Call("GET", "/info", Info)


def routes() -> Call[dict[str, Route]]:
    """Return the routes of the data plane by their paths; at most as many as the hub puts into one answer."""
    return Call("GET", "/proxy", dict[str, Route])


def repair_routes() -> Call[None]:
    """Have the hub compare the data plane's routes with its own, and mend them. May be repeated."""
    return Call("POST", "/proxy")
