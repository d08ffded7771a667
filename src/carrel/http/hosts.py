"""The hub's pages are for its own host: on a user's they would share it with what the user's server sends.

Whatever has no route leads to the hub. Whoever logged in on such a host would give the log-in to a server.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse, RedirectResponse, Response

from carrel.domain.hosts import Hosts

_ELSEWHERE = "This page is at another address, and nothing has been done."
_LONGEST = 8192


class HostGuard:
    """Sends visitors of other hosts than the hub's to that, where the hub has a page for them.

    There, programs may use the API with a token, and whoever asks for a server or service that has no route
    is answered as everywhere.
    """

    def __init__(self, app: Any, hosts: Hosts) -> None:
        self._app = app
        self.state = app.state
        self._hosts = hosts
        base = re.escape(hosts.base_url)
        self._free = re.compile(
            rf"{base}(user|services|hub/static|hub/error)/|{base}hub/(logo|health|api/health)$"
        )
        self._api = f"{hosts.base_url}hub/api"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        answer = self._answer(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Any) -> Response | None:
        headers = dict(scope["headers"])
        if not self._hosts.is_of_others(headers.get(b"host", b"").decode("latin-1")):
            return None
        path = scope["path"]
        if self._free.match(path):
            return None
        if b"authorization" in headers and path.startswith(self._api):
            return None
        if scope["method"] not in ("GET", "HEAD") or path.startswith(f"{self._api}/"):
            return JSONResponse({"status": 403, "message": _ELSEWHERE}, 403)
        raw = (scope.get("raw_path") or path.encode()).partition(b"?")[0].decode("latin-1")
        query = scope.get("query_string", b"").decode("latin-1")
        target = f"{self._hosts.origin}/{raw.lstrip('/')}{'?' if query else ''}{query}"
        return RedirectResponse(target[:_LONGEST], 302, {"Cache-Control": "no-store"})
