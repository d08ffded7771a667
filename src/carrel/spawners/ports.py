"""Ports for servers of this machine, such as nobody else takes before the server listens."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections import OrderedDict

from carrel.lib.listening import owners_at
from carrel.lib.net import free_port, is_free, unlent_ports

_TRIES = 100
_MEMORY = 4096


class Ports:
    """What the servers of one hub process get, which may be seconds away from listening.

    A port that was given is not given again soon, and the kernel lends it to no connection meanwhile.
    """

    def __init__(self) -> None:
        self._given: OrderedDict[int, None] = OrderedDict()

    def take(self, ip: str) -> int:
        """Return a port that can be listened on at `ip`; raises OSError when that is not this machine's."""
        wide = unlent_ports()
        for _ in range(_TRIES if wide else 0):
            port = wide[secrets.randbelow(len(wide))]
            if port not in self._given and is_free(ip, port):
                self._remember(port, most=min(_MEMORY, len(wide) // 2))
                return port
        for _ in range(_TRIES):
            port = free_port(ip)
            if port not in self._given:
                break
        self._remember(port, most=_MEMORY)
        return port

    def _remember(self, port: int, *, most: int) -> None:
        self._given[port] = None
        while len(self._given) > most:
            self._given.popitem(last=False)

    async def close(self) -> None:
        """Forget all; may be repeated."""
        self._given.clear()


async def is_taken_by_others(ip: str, port: int, uid: int) -> bool:
    """Tell whether accounts other than `uid`, ours and root take connections to a port, where that is seen.

    A port is free when it is chosen, and any account of this machine may be quicker than the server. Visitors
    would send it what lets them in.
    """
    owners = await asyncio.to_thread(owners_at, ip, port)
    return bool(owners - {uid, os.geteuid(), 0})
