"""The public Proxy class: JupyterHub's methods, plus a snapshot in one call."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from traitlets import Bool, Unicode, default
from traitlets.config import LoggingConfigurable

from carrel.domain.routes import Route
from carrel.proxy.extra_routes import RouteTable


class ProxyError(Exception):
    """The data plane does not answer or refuses; the text says which and why."""


class Unreachable(ProxyError):
    """Nothing answers: the data plane may be back in a moment."""


class OutOfStep(ProxyError):
    """The data plane missed a change, or was restarted: nothing was done, and it waits for `put_routes`."""


class Unmovable(ProxyError):
    """A driver's data plane is where it is; the text says why."""


class Proxy(LoggingConfigurable):
    """Sets routes on a data plane.

    A driver overrides `add_route`, `delete_route` and `get_all_routes`, as it would for JupyterHub. One that
    can set the whole table at once also overrides `put_routes`. One that runs on this machine may have the
    traits `ip`, `port`, `directory` and `error_target`, tagged `by_hub=True`: the hub sets them. With
    `ssl_cert` set, it serves HTTPS.
    """

    should_start = Bool(True, help="Whether the hub starts the data plane, or finds it running.").tag(
        config=True
    )
    extra_routes = RouteTable(
        help="Further routes: a dictionary of paths, each with the address that gets their requests."
    ).tag(config=True)
    public_url = Unicode(help="Where the data plane listens, as `http://ADDRESS:PORT/`; set by the hub.")
    hub_url = Unicode(help="Where everything goes that has no route; set by the hub.")
    ssl_key = Unicode(help="The file of the public TLS key; set by the hub.").tag(by_hub=True)
    ssl_cert = Unicode(help="The file of the public TLS certificate; set by the hub.").tag(by_hub=True)

    @default("log")
    def _default_log(self) -> logging.Logger:
        return logging.getLogger("carrel.proxy")

    @property
    def of_this_hub(self) -> bool:
        """Whether this hub runs the data plane, so that other hubs have others."""
        return bool(self.should_start)

    @property
    def ends_with_hub(self) -> bool:
        """Whether the data plane is stopped with the hub when nobody said what should become of it."""
        return False

    async def start(self) -> bool:
        """Make sure that the data plane runs: take over the one that does, or start one; may be repeated.

        Returns True when its table may not be what this hub last set. Raises ProxyError when it cannot run.
        """
        return False

    async def stop(self) -> bool:
        """End the data plane and return whether one was running; may be repeated."""
        return False

    async def close(self) -> None:
        """Give back connections; the hub calls it last."""

    async def move(self, api_url: str | None, auth_token: str | None) -> None:
        """Steer a data plane at another address, or with another token, from now on; None changes nothing.

        Raises Unmovable for a driver that cannot, and ProxyError when nothing answers there: then all stays
        as it was.
        """
        raise Unmovable(f"{type(self).__name__} cannot be moved while the hub runs: change its configuration")

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        """Send requests below `routespec` to `target`, replacing what was there; raises ProxyError."""
        raise NotImplementedError

    async def delete_route(self, routespec: str) -> None:
        """Forget a route; an unknown one is fine. Raises ProxyError."""
        raise NotImplementedError

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        """Return `{spec: {"routespec", "target", "data"}}`; `data` may have `last_activity` (ISO 8601)."""
        raise NotImplementedError

    async def put_routes(self, routes: Mapping[str, Route]) -> None:
        """Make the table equal to `routes` without touching open connections."""
        present = await self.get_all_routes()
        for spec in present.keys() - routes.keys():
            await self.delete_route(spec)
        for spec, route in routes.items():
            if differs(route, present.get(spec)):
                await self.add_route(spec, route.target, route.data)


def differs(route: Route, present: Mapping[str, Any] | None) -> bool:
    """Tell whether a route has to be set where `present` is what `get_all_routes` says of its path."""
    if present is None or present["target"] != route.target:
        return True
    return bool(present["data"].get("alternatives") != route.data.get("alternatives"))


def as_route(present: Mapping[str, Any]) -> Route:
    """Return an entry of `get_all_routes` as it would be set."""
    data = {name: value for name, value in present["data"].items() if name != "last_activity"}
    return Route(present["routespec"], present["target"], data)
