"""Waiting until a started server answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from carrel.lib.httpclient import send
from carrel.lifecycle import drive
from carrel.spawners.base import Spawner

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5
_VERSION_HEADER = "x-jupyterhub-version"
_PROBE_SECONDS = 5.0
_log = logging.getLogger("carrel.lifecycle")


class NotReady(Exception):
    """The server did not answer in time, or ended before it did."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


#: Tells whether a URL answers with any status below 500.
Probe = Callable[[str], Awaitable[bool]]


async def http_probe(url: str) -> bool:
    """Ask over HTTP."""
    try:
        reply = await send("GET", url, seconds=_PROBE_SECONDS)
    except (TimeoutError, OSError):
        return False
    if _VERSION_HEADER not in reply.headers:
        _log.debug("The server at %s does not say its version", url)
    return reply.status < 500


async def wait_until_ready(probe: Probe, driver: Spawner, url: str, timeout: float) -> None:
    """Return once `url` answers with any status below 500.

    Raises NotReady after `timeout` seconds, or as soon as the driver says that the server has ended.
    """
    pause = _FIRST_PAUSE
    try:
        async with asyncio.timeout(timeout):
            while not await probe(url):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
                if pause >= _LONGEST_PAUSE / 4:
                    await _check_alive(driver)
    except TimeoutError:
        raise NotReady(
            "no-answer", f"The server did not answer at {url} within {timeout:g} seconds."
        ) from None


async def _check_alive(driver: Spawner) -> None:
    life, status = await drive.poll(driver)
    if life is drive.Life.DEAD:
        raise NotReady("exit", f"The server ended with status {status} before it answered.")
