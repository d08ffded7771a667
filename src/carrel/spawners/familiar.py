"""Names that plug-ins know from JupyterHub's spawners, and that neither Carrel nor its own drivers need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Integer, Unicode, default
from traitlets.config import LoggingConfigurable

from carrel.lib.awaiting import resolve
from carrel.spawners.views import NoSession, ServerRecord, ServerView


class FamiliarNames(LoggingConfigurable):
    """The part of a spawner that is there for plug-ins alone."""

    user: Any = AnyTrait()
    hub: Any = AnyTrait()
    authenticator: Any = AnyTrait()
    orm_spawner: Any = AnyTrait()
    db: Any = AnyTrait()
    server: Any = AnyTrait()
    handler: Any = AnyTrait()
    name = Unicode()
    user_options: Any
    server_id = Integer(0)
    generation = Integer(0)

    _start_pending: bool = False
    _stop_pending: bool = False

    @default("db")
    def _default_db(self) -> Any:
        return getattr(self.authenticator, "db", None) or NoSession()

    @default("orm_spawner")
    def _default_orm_spawner(self) -> ServerRecord:
        return ServerRecord(
            self.server_id, self.name, self.server, self.user, self.user_options, self.get_state()
        )

    @property
    def _server(self) -> ServerView:
        # Drivers that put another one in their place hand this on.
        return self.server  # type: ignore[no-any-return]

    @property
    def active(self) -> bool:
        """Whether this is the driver of a run, and not one that is asked about its form alone."""
        return self.generation > 0

    @property
    def pending(self) -> str | None:
        """Return `spawn` or `stop` while start() or stop() is at work, else None."""
        return "spawn" if self._start_pending else "stop" if self._stop_pending else None

    @property
    def ready(self) -> bool:
        """Whether there is a run, and neither start() nor stop() is at work."""
        return self.active and self.pending is None

    @property
    def public_url(self) -> str:
        """Return where visitors find the server; empty when the hub does not know its own address."""
        return f"{self.hub.public_url}{self.server.base_url}" if self.hub.public_url else ""

    @property
    def env(self) -> dict[str, str]:
        """Return `get_env()`, under the name of old."""
        return self.get_env()

    # What every spawner has

    def get_state(self) -> dict[str, Any]:
        """See `Spawner`."""
        raise NotImplementedError

    def get_env(self) -> dict[str, str]:
        """See `Spawner`."""
        raise NotImplementedError

    async def poll_now(self) -> int | None:
        """See `Spawner`."""
        raise NotImplementedError

    async def create_certs(self) -> dict[str, str]:
        """Return no certificates: the hub and its servers speak plain HTTP."""
        return {}

    async def move_certs(self, paths: dict[str, str]) -> dict[str, str]:
        """Return where a server finds its certificates, once they are where it can read them."""
        return paths

    # Polling was a driver's own business once; the hub does it, and these stay for those who call them

    def add_poll_callback(self, callback: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Have `poll_and_notify` call `callback` when the server has ended."""
        self.__dict__.setdefault("_poll_callbacks", []).append((callback, args, kwargs))

    def start_polling(self) -> None:
        """Do nothing: the hub polls."""

    def stop_polling(self) -> None:
        """Forget the callbacks."""
        self.__dict__.pop("_poll_callbacks", None)

    async def poll_and_notify(self) -> int | None:
        """Return what `poll` says, after calling the callbacks if the server has ended."""
        status = await self.poll_now()
        if status is not None:
            for callback, args, kwargs in self.__dict__.pop("_poll_callbacks", []):
                await resolve(callback(*args, **kwargs))
        return status
