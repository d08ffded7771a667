"""The signed-in user and their servers, with the attributes that templates written for JupyterHub read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from carrel.domain.names import escape, server_prefix
from carrel.domain.servers import Server
from carrel.lib.clock import Timestamp


class GroupName(str):
    """A group's name, of which templates ask `group.name`."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """Return the name."""
        return str(self)


@dataclass(frozen=True, slots=True)
class ServerView:
    """One server, as templates know a spawner."""

    name: str
    display_name: str
    url: str
    active: bool
    ready: bool
    pending: str | None
    started: datetime | None
    last_activity: datetime | None
    """In UTC and without saying so, as JupyterHub's are: templates append the Z themselves."""
    options_form: str = ""

    @classmethod
    def of(cls, server: Server, base_url: str, host: str = "") -> ServerView:
        """Return what templates see of a server; `host` is scheme and host, where it has its own."""
        return cls(
            name=server.name,
            display_name=server.display_name,
            url=host + server_prefix(base_url, server.user_name, server.name),
            active=server.active,
            ready=server.ready,
            pending=server.pending,
            started=_moment(server.started),
            last_activity=_moment(server.last_activity),
        )


@dataclass(frozen=True, slots=True)
class Person:
    """The signed-in user."""

    name: str
    admin: bool
    base_url: str
    """The hub's, which `/user/NAME/` is below."""
    groups: Sequence[GroupName] = ()
    servers: Sequence[Server] = ()
    """Only where the deployer has templates of their own: the hub's do not ask for them."""
    host: str = ""
    """Scheme and host of their servers, where they have others than the hub."""

    @property
    def url(self) -> str:
        """Return the prefix of their default server."""
        return self.server_url()

    @property
    def escaped_name(self) -> str:
        """Return the name as a segment of an address."""
        return escape(self.name)

    @property
    def json_escaped_name(self) -> str:
        """Return the name as it stands between the quotes of a script's text."""
        return json.dumps(self.name)[1:-1].replace("<", "\\u003c")

    @property
    def spawners(self) -> dict[str, ServerView]:
        """Return the servers by name; the default one is always there."""
        made = {server.name: ServerView.of(server, self.base_url, self.host) for server in self.servers}
        return {"": self._at_rest()} | made

    @property
    def spawner(self) -> ServerView:
        """Return the default server."""
        return self.spawners[""]

    @property
    def active(self) -> bool:
        """Whether any server runs or is about to."""
        return any(server.active for server in self.servers)

    @property
    def running(self) -> bool:
        """Whether the default server runs."""
        return self.spawner.ready

    def server_url(self, server_name: str = "") -> str:
        """Return the prefix of one server."""
        return self.host + server_prefix(self.base_url, self.name, server_name)

    def all_spawners(self, include_default: bool = True) -> list[ServerView]:
        """Return the servers, the default one first."""
        return [server for server in self.spawners.values() if server.name or include_default]

    def _at_rest(self) -> ServerView:
        return ServerView(
            "", "", self.url, active=False, ready=False, pending=None, started=None, last_activity=None
        )


def _moment(stamp: Timestamp | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC).replace(tzinfo=None)
