"""Calls about users' servers; '' is the name of the default one. `HubApi` has what waits for their effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carrel_client.api.calls import Call, path
from carrel_client.api.models import Server


def get(user: str, name: str = "") -> Call[Server]:
    """Return one server. JupyterHub has this since 6.0."""
    return Call("GET", server_path(user, name), Server)


def start(user: str, name: str = "", options: Mapping[str, Any] | None = None) -> Call[None]:
    """Ask for a start and return when it is ready or on its way; no options means those of the last time."""
    body = None if options is None else {"user_options": dict(options)}
    return Call("POST", server_path(user, name), body=body)


def create(
    user: str, name: str, options: Mapping[str, Any] | None = None, *, display_name: str = ""
) -> Call[Server]:
    """Make a named server without starting it and return it; Conflict when it exists. Since JupyterHub 6."""
    body = {"user_options": dict(options or {}), "display_name": display_name}
    return Call("PUT", server_path(user, name), Server, body=body)


def change(
    user: str,
    name: str = "",
    *,
    new_name: str | None = None,
    display_name: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> Call[Server]:
    """Change a server that does not run, and return it; what is None stays. Since JupyterHub 6."""
    wanted = {
        "name": new_name,
        "display_name": display_name,
        "user_options": None if options is None else dict(options),
    }
    body = {key: value for key, value in wanted.items() if value is not None}
    return Call("PATCH", server_path(user, name), Server, body=body)


def stop(user: str, name: str = "", *, remove: bool = False) -> Call[None]:
    """Ask for a stop and return when it has stopped or is about to; `remove` forgets a named server."""
    return Call("DELETE", server_path(user, name), body={"remove": True} if remove else None)


def server_path(user: str, name: str) -> str:
    """Return the path of a server below the API's."""
    return path("users", user, "servers", name) if name else path("users", user, "server")
