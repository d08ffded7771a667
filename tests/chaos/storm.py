"""Clients that start, stop and look, and write down what they were told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import aiohttp

from tests.history import History

_LONGEST_WAIT = 40.0
#: A killed process may have committed until just before its sockets closed.
_SLACK = 0.05


class Storm:
    """Two clients for each user, at odds with each other, until told to stop."""

    def __init__(self, session: aiohttp.ClientSession, api: str, history: History, seed: int) -> None:
        self.told: Counter[str] = Counter()
        self._session = session
        self._api = api
        self._history = history
        self._seed = seed
        self._over = asyncio.Event()
        self._clients: list[asyncio.Task[None]] = []

    def begin(self, users: list[str]) -> None:
        for user in users:
            for number in range(2):
                dice = random.Random(f"{self._seed} {user} {number}")
                self._clients.append(asyncio.create_task(self._client(user, dice)))

    async def end(self) -> None:
        """Return when every client has had its last answer; raises what one of them did not expect."""
        self._over.set()
        await asyncio.gather(*self._clients)

    async def _client(self, user: str, dice: random.Random) -> None:
        while not self._over.is_set():
            act = dice.choices([self.start, self._stop, self.look], [4, 3, 3])[0]
            await act(user)
            try:
                async with asyncio.timeout(dice.uniform(0.3, 3.0)):
                    await self._over.wait()
            except TimeoutError:
                continue

    async def start(self, user: str) -> None:
        """Ask for a user's server."""
        call = self._history.now()
        status, body = await self._send("POST", f"users/{user}/server")
        if status != 0:
            self._history.start(user, call, status, body, by=self._history.now() + _SLACK)

    async def _stop(self, user: str) -> None:
        call = self._history.now()
        status, body = await self._send("DELETE", f"users/{user}/server")
        if status != 0:
            self._history.stop(user, call, status, body, by=self._history.now() + _SLACK)

    async def look(self, user: str) -> None:
        """Ask how a user's server is."""
        call = self._history.now()
        status, model = await self._send("GET", f"users/{user}")
        if status == 200:
            self._history.look(user, call, model["servers"].get(""))

    async def _send(self, method: str, path: str) -> tuple[int | None, Any]:
        """Return status and body; None when the answer got lost, 0 when nobody took the question."""
        try:
            limit = aiohttp.ClientTimeout(_LONGEST_WAIT)
            async with self._session.request(method, f"{self._api}/{path}", timeout=limit) as reply:
                body = await (reply.json() if method == "GET" else reply.text())
                self.told[f"{method} {reply.status}"] += 1
                return reply.status, body
        except aiohttp.ClientConnectorError:
            self.told[f"{method} refused"] += 1
            return 0, ""
        except aiohttp.ClientError:
            self.told[f"{method} lost"] += 1
            return None, ""
