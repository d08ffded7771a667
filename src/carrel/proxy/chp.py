"""A data plane that speaks configurable-http-proxy's REST API and is run by somebody else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from traitlets import Bool, List, Unicode, default

from carrel.domain.routes import Route
from carrel.lib.httpclient import Reply, send
from carrel.proxy.base import OutOfStep, Proxy, ProxyError, Unreachable

#: Routes without this mark were set by somebody else and are left alone.
_MARK = "jupyterhub"


class TokenRefused(ProxyError):
    """What listens at the API's address is not ours."""


class ConfigurableHTTPProxy(Proxy):
    """Speaks to a proxy that is already running, at `api_url`."""

    api_url = Unicode(
        "http://127.0.0.1:8001", help="Where the proxy's REST API is, without `/api/routes`."
    ).tag(config=True)
    host_routing = Bool(False, help="Whether routes begin with a host; set by the hub.").tag(by_hub=True)
    auth_token = Unicode(help="The API's token; by default from CONFIGPROXY_AUTH_TOKEN.").tag(config=True)

    command: Any = List(
        Unicode(),
        help="What starts configurable-http-proxy under JupyterHub. Of it the options count, such as "
        "`--redirect-port 80`, where the hub starts carrel-proxy: they are given to that.",
    ).tag(config=True)

    @default("auth_token")
    def _auth_token_default(self) -> str:
        return os.environ.get("CONFIGPROXY_AUTH_TOKEN", "")

    @property
    def of_this_hub(self) -> bool:
        """It is run by somebody else, whatever `should_start` says."""
        return False

    async def start(self) -> bool:
        """Check that the proxy answers; its table may hold anything."""
        await self.get_all_routes()
        return False

    async def move(self, api_url: str | None, auth_token: str | None) -> None:
        """Steer the proxy at another address, once it has answered there."""
        before = self.api_url, self.auth_token
        self.api_url = self.api_url if api_url is None else api_url.rstrip("/")
        self.auth_token = self.auth_token if auth_token is None else auth_token
        try:
            await self.get_all_routes()
        except BaseException:
            self.api_url, self.auth_token = before
            raise

    async def add_route(self, routespec: str, target: str, data: Mapping[str, Any]) -> None:
        await self._call("POST", route_path(routespec), marked(Route(routespec, target, data)))

    async def delete_route(self, routespec: str) -> None:
        await self._call("DELETE", route_path(routespec), accept=(204, 404))

    async def get_all_routes(self) -> dict[str, dict[str, Any]]:
        reply = await self._call("GET", "/api/routes")
        table = msgspec.json.decode(reply.body, type=dict[str, dict[str, Any]])
        return {
            spec: _entry(spec, fields)
            for path, fields in table.items()
            if fields.get(_MARK) and (spec := self._spec(path))
        }

    def _spec(self, path: str) -> str:
        spec = f"{quote(path, safe='@/~').rstrip('/')}/"
        return spec.lstrip("/") or "/" if self.host_routing else spec

    def _token(self) -> str:
        """Return what opens the REST API."""
        return str(self.auth_token)

    async def _call(
        self,
        method: str,
        path: str,
        body: Any = None,
        accept: tuple[int, ...] = (200, 201, 202, 204),
        change: str = "",
    ) -> Reply:
        """Return an answer; raise ProxyError when there is none or it is a refusal."""
        payload = b"" if body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"token {self._token()}"} | ({"Carrel-Change": change} if change else {})
        try:
            reply = await send(method, f"{self.api_url}{path}", headers=headers, body=payload)
        except (TimeoutError, OSError) as error:
            raise Unreachable(f"no answer from {self.api_url} ({error})") from error
        if reply.status == 403:
            raise TokenRefused(
                f"{self.api_url} refuses our token: another hub's proxy listens there. Choose another port "
                "with c.ConfigurableHTTPProxy.api_url, or set CONFIGPROXY_AUTH_TOKEN if it is ours"
            )
        if reply.status == 412:
            raise OutOfStep(f"{self.api_url} missed a change: {reply.body.decode(errors='replace')}")
        if reply.status not in accept:
            raise ProxyError(f"{self.api_url} answers {method} {path} with {reply.status}")
        return reply


def marked(route: Route) -> dict[str, Any]:
    """Return a route as the REST API takes it."""
    return {**route.data, "target": route.target, _MARK: True}


def route_path(routespec: str) -> str:
    """Return where the REST API has a route."""
    return f"/api/routes/{routespec.strip('/')}".rstrip("/")


def _entry(spec: str, fields: dict[str, Any]) -> dict[str, Any]:
    data = {name: value for name, value in fields.items() if name != "target"}
    return {"routespec": spec, "target": fields.get("target", ""), "data": data}
