"""Building a driver for one run of one server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from traitlets.config import Config

from carrel.spawners.base import Spawner
from carrel.spawners.options import known_overrides, override
from carrel.spawners.shared import Shared
from carrel.spawners.views import HubView, ServerView, UserView

S = TypeVar("S", bound=Spawner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All that a driver is told about a server; a plain value without ties to the database."""

    user: UserView
    hub: HubView
    server_id: int
    generation: int
    name: str = ""
    url: str = ""
    """Where the server answers, scheme to port; empty before a start."""
    state: Mapping[str, Any] = field(default_factory=dict)
    """The checkpoint of the run, empty before a start."""
    user_options: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Mapping[str, Any]] = ()
    """What a profile makes of the configuration's settings, in order."""
    api_token: str = ""
    """Known only while a server is started."""
    oauth_client_id: str = ""
    oauth_access_scopes: Sequence[str] = ()
    cookie_options: Mapping[str, Any] = field(default_factory=dict)
    cookie_host_prefix_enabled: bool = False
    admin_access: bool = False
    authenticator: Any = None
    log_directory: str = ""
    """Where the logs of servers are kept; empty keeps none."""
    state_saver: Callable[[Mapping[str, Any]], Awaitable[Any]] | None = None
    shared: Shared = field(default_factory=Shared)
    """What all drivers of the hub have in common."""


def make_spawner(cls: type[S], run: Run, config: Config | None = None) -> S:
    """Return a driver of class `cls`, configured, with the run's checkpoint loaded.

    Raises TraitError when the configuration has a value that a setting does not take. What a profile says by
    functions comes with the start.
    """
    prefix = run.user.server_url(run.name)
    server = ServerView(base_url=prefix)
    server.place(run.url)
    facts: dict[str, Any] = {
        "user": run.user,
        "hub": run.hub,
        "authenticator": run.authenticator,
        "name": run.name,
        "server": server,
        "proxy_spec": run.user.domain + prefix,
        "server_id": run.server_id,
        "generation": run.generation,
        "user_options": dict(run.user_options),
        "api_token": run.api_token,
        "oauth_client_id": run.oauth_client_id,
        "oauth_access_scopes": list(run.oauth_access_scopes),
        "cookie_options": dict(run.cookie_options),
        "cookie_host_prefix_enabled": run.cookie_host_prefix_enabled,
        "admin_access": run.admin_access,
        "log_directory": run.log_directory,
    }
    # Traitlets takes its time for each value, and an empty one is the default anyway.
    given = {name: value for name, value in facts.items() if value}
    spawner = cls(config=config if config is not None else Config(), **given)
    spawner.state_saver = run.state_saver
    spawner.shared = run.shared
    refresh_owner(spawner, run.user)
    spawner.profile_overrides = run.overrides
    for overrides in run.overrides:
        override(spawner, known_overrides(spawner, overrides))
    if run.state:
        spawner.load_state(run.state)
    return spawner


def refresh_owner(spawner: Spawner, user: UserView) -> None:
    """Let a driver see its owner as `user`, with the driver itself among the owner's."""
    user.server = spawner.server
    user.spawners[spawner.name] = spawner
    spawner.user = user
