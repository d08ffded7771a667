"""Who is behind a token: the hub's answers, kept for a while."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from carrel_client.auth.hub import HubUnreachable, Log, Visitor

FRESH_SECONDS = 300.0
GRACE_SECONDS = 3600.0
_RETRY_SECONDS = 10.0
_ENTRIES = 1024

Ask = Callable[[str], Coroutine[Any, Any, Visitor | None]]
Answer = asyncio.Task[Visitor | None]


@dataclass(slots=True)
class _Entry:
    visitor: Visitor
    fetched: float
    ask_again: float


class Visitors:
    """Asks the hub who holds a token, once for all who wait for the same answer.

    An answer is used for five minutes. When the hub then does not answer, the last known answer serves for up
    to one hour more, so that a hub that restarts logs nobody out; the price is that a right withdrawn while
    the hub is away stays usable for that long. A visitor who has not been here before needs the hub.
    """

    def __init__(self, ask: Ask, now: Callable[[], float], log: Log) -> None:
        self._ask = ask
        self._now = now
        self._log = log
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._asking: dict[str, Answer] = {}

    async def identify(self, token: str, session: str = "") -> Visitor | None:
        """Return who holds `token`, or None when the hub does not know it.

        `session` is the browser's session at the hub: a new session is never answered from an older one's
        entry. Raises HubUnreachable when the hub does not answer and nothing usable is known, HubRefused.
        """
        key = _key(token, session)
        entry = self._entries.get(key)
        if entry is not None and self._now() < entry.ask_again:
            self._entries.move_to_end(key)
            return entry.visitor
        answer = self._asking.get(key)
        if answer is None:
            answer = asyncio.create_task(self._refresh(key, token))
            self._asking[key] = answer
            answer.add_done_callback(lambda done: self._answered(key, done))
        # Shielded: a visitor who hangs up must not take the answer from the others who wait for it.
        return await asyncio.shield(answer)

    def forget(self, token: str, session: str = "") -> None:
        """Drop what is known of `token`, so that the next request asks the hub. May be repeated.

        An answer that is on its way is for those who wait for it already, and is not kept.
        """
        key = _key(token, session)
        self._entries.pop(key, None)
        self._asking.pop(key, None)

    async def _refresh(self, key: str, token: str) -> Visitor | None:
        try:
            visitor = await self._ask(token)
        except HubUnreachable as problem:
            return self._last_known(key, problem)
        if self._asking.get(key) is not asyncio.current_task():
            return visitor  # forgotten meanwhile
        if visitor is None:
            self._entries.pop(key, None)
            return None
        now = self._now()
        self._entries[key] = _Entry(visitor, fetched=now, ask_again=now + FRESH_SECONDS)
        self._entries.move_to_end(key)
        while len(self._entries) > _ENTRIES:
            self._entries.popitem(last=False)
        return visitor

    def _last_known(self, key: str, problem: HubUnreachable) -> Visitor:
        entry = self._entries.get(key)
        now = self._now()
        if entry is None or now >= entry.fetched + FRESH_SECONDS + GRACE_SECONDS:
            self._entries.pop(key, None)
            raise problem
        self._log.warning("The hub does not answer (%s); %s stays logged in", problem, entry.visitor.name)
        entry.ask_again = now + _RETRY_SECONDS
        return entry.visitor

    def _answered(self, key: str, answer: Answer) -> None:
        if self._asking.get(key) is answer:
            del self._asking[key]
        if not answer.cancelled():
            answer.exception()  # seen by whoever waits; when nobody does any more it is no news


def _key(token: str, session: str) -> str:
    return f"{hashlib.sha256(token.encode()).hexdigest()} {session}"
