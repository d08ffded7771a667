"""What people do while hubs come and go: all of it through the data plane, and written down."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from carrel.lib.httpclient import Reply, send
from tests.history.recorder import History
from tests.replicas.findings import Findings

_READERS = 4
#: How long anybody waits for anything, in seconds.
_PATIENCE = 30.0


class Load:
    """Users who start and stop their servers, and programs that ask who they are.

    `tokens` are the users', `url` is the data plane's.
    """

    def __init__(self, url: str, tokens: Mapping[str, str], found: Findings, history: History) -> None:
        self._url = url
        self._tokens = tokens
        self._found = found
        self._history = history
        self._random = random.Random(7)
        self._until = 0.0

    async def run(self, until: float) -> None:
        """Go on until a monotonic moment."""
        self._until = until
        work = [self._live(name) for name in self._tokens]
        await asyncio.gather(*work, *(self._read(name) for name in list(self._tokens)[:_READERS]))

    def _goes_on(self) -> bool:
        return time.monotonic() < self._until

    async def _live(self, name: str) -> None:
        """Start and stop a server again and again, as its owner."""
        while self._goes_on():
            await self._ask(name, "POST")
            self._found.starts += 1
            if await self._settles(name, lambda model: bool(model and model["ready"])):
                await self._look_at_page(name)
            await asyncio.sleep(self._random.uniform(0.0, 1.0))
            await self._ask(name, "DELETE")
            self._found.stops += 1
            await self._settles(name, lambda model: model is None)

    async def _ask(self, name: str, method: str) -> None:
        began = self._history.now()
        reply = await self._send(name, method, f"users/{name}/server", b"{}" if method == "POST" else b"")
        status = reply.status if reply else None
        if status == 409:
            return
        by = self._history.now() + _PATIENCE
        message = str(json_of(reply).get("message", "")) if reply and reply.body else ""
        note = self._history.start if method == "POST" else self._history.stop
        note(name, began, status, message, by)

    async def _settles(self, name: str, is_done: Callable[[Any], bool]) -> bool:
        """Look at a server until nothing is pending or it is as it should be; tell whether it is."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            began = self._history.now()
            reply = await self._send(name, "GET", f"users/{name}")
            if reply is not None and reply.status == 200:
                model = json_of(reply)["servers"].get("")
                self._history.look(name, began, model)
                if is_done(model):
                    return True
                if model is None or not model.get("pending"):
                    return False
            await asyncio.sleep(0.2)
        return False

    async def _look_at_page(self, name: str) -> None:
        try:
            reply = await send("GET", f"{self._url}user/{name}/", seconds=_PATIENCE)
        except (TimeoutError, OSError) as error:
            self._found.pages[type(error).__name__] += 1
        else:
            self._found.pages["ok" if reply.status == 200 else str(reply.status)] += 1

    async def _read(self, name: str) -> None:
        """Ask the hub who one is, through the data plane."""
        while self._goes_on():
            try:
                reply = await self._get_self(name)
            except (TimeoutError, OSError) as error:
                self._found.reads[type(error).__name__] += 1
            else:
                self._found.reads["ok" if reply.status == 200 else str(reply.status)] += 1
            await asyncio.sleep(0.05)

    async def _get_self(self, name: str) -> Reply:
        headers = {"Authorization": f"token {self._tokens[name]}"}
        url = f"{self._url}hub/api/user"
        return await send("GET", url, headers=headers, seconds=_PATIENCE)

    async def _send(self, name: str, method: str, path: str, body: bytes = b"") -> Reply | None:
        headers = {"Authorization": f"token {self._tokens[name]}", "Content-Type": "application/json"}
        url = f"{self._url}hub/api/{path}"
        try:
            return await send(method, url, headers=headers, body=body, seconds=_PATIENCE)
        except (TimeoutError, OSError):
            return None


def json_of(reply: Reply) -> dict[str, Any]:
    """Return the object in a reply."""
    return msgspec.json.decode(reply.body, type=dict[str, Any])
