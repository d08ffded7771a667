"""This hub among the others that share its database."""

from __future__ import annotations

import os
import socket
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from carrel.config.schema import Settings
from carrel.core.context import HubContext
from carrel.core.peers import Peers
from carrel.domain.hubs import owner_name
from carrel.lib.ids import digest, new_token
from carrel.lifecycle.hearing import Hearing
from carrel.lifecycle.presence import Presence

_MACHINE_ID = Path("/etc/machine-id")


def this_hub(settings: Settings, url: str) -> Peers:
    """Return this process as one of the database's hubs, which are not known yet."""
    node = settings.node or machine_name(_MACHINE_ID)
    return Peers(owner_name(node, os.getpid(), new_token()[:8]), node, url)


def machine_name(machine_id: Path) -> str:
    """Return a lasting name of this machine: its host name, with what tells it from others of that name."""
    try:
        mark = digest(machine_id.read_text().strip())[:8]
    except OSError:
        mark = ""
    return f"{socket.gethostname()}-{mark}".rstrip("-")


class OtherHubs:
    """What keeps this hub in touch with the others; nothing where only one may use the database."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self._hearing = Hearing(ctx)
        self._presence = Presence(ctx)

    async def join(self) -> None:
        """Come into the others' sight; raises StorageError."""
        if not self._ctx.store.single_hub:
            self._ctx.bus.listen(self._hearing.heed)
            self._ctx.bus.listen(self._presence.heed)
            await self._presence.join()

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return what is to be done for as long as this hub is among them."""
        if self._ctx.store.single_hub:
            return {}
        hearing, presence = self._hearing, self._presence
        return {"hearing": hearing.run(), "telling": hearing.tell(), "presence": presence.run()}

    async def leave(self) -> None:
        """Go out of the others' sight; never fails."""
        if not self._ctx.store.single_hub:
            await self._presence.leave()
