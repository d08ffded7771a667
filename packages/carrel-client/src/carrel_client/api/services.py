"""Calls about services."""

from __future__ import annotations

from carrel_client.api.calls import Call, path
from carrel_client.api.models import Service


def find() -> Call[dict[str, Service]]:
    """Return all services by their names."""
    return Call("GET", "/services", dict[str, Service])


def get(name: str) -> Call[Service]:
    """Return one service."""
    return Call("GET", path("services", name), Service)
