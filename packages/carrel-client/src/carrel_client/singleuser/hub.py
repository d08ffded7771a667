"""What a single-user server tells its hub, and how it waits for one that is starting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from carrel_client.auth.hub import HubClient, HubRefused, HubUnreachable, Log
from carrel_client.singleuser.environment import HubEnvironment

_MEETING_PAUSES = (2.0, 4.0, 8.0, 16.0)

Sleep = Callable[[float], Awaitable[None]]


class ServerHubClient(HubClient):
    """The hub as one of its servers speaks with it."""

    def __init__(self, environment: HubEnvironment) -> None:
        super().__init__(environment)
        self._environment = environment

    async def report_activity(self, moment: str) -> None:
        """Tell the hub that this server was last used at `moment` (ISO 8601). Raises HubRefused."""
        environment = self._environment
        body = {"servers": {environment.server_name: {"last_activity": moment}}, "last_activity": moment}
        reply = await self._ask(
            "POST", environment.activity_url, environment.api_token, json.dumps(body), "application/json"
        )
        if reply.status >= 400:
            raise HubRefused(f"the hub answered {reply.status}")


async def meet(hub: HubClient, log: Log, sleep: Sleep = asyncio.sleep) -> str | None:
    """Return the version of a hub that is perhaps still starting, or None when five tries found none."""
    for pause in (*_MEETING_PAUSES, None):
        try:
            return await hub.version()
        except HubUnreachable as problem:
            log.warning("The hub does not answer: %s", problem)
        if pause is not None:
            await sleep(pause)
    return None
