"""Waiting until a started server answers, and finding out why it does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence
from carrel.lifecycle import drive
from carrel.lifecycle.evidence import NotReady
from carrel.lifecycle.patience import EXAMINATION
from carrel.spawners.base import Spawner

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.5
_log = logging.getLogger("carrel.lifecycle")


class Probe(Protocol):
    """Looks at a server from outside."""

    async def __call__(self, url: str) -> bool:
        """Tell whether a URL answers with any status below 500; raise NotReady when it never will."""

    async def examine(self, url: str, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return what can be seen of a server that does not answer, as facts for the diagnosis.

        `labels` are in the environment of its processes.
        """


async def is_ready(probe: Probe, driver: Spawner, url: str) -> bool:
    """Tell whether the server itself answers at `url` with any status below 500; may raise NotReady."""
    return await probe(url) and await drive.is_reached(driver)


async def wait_until_ready(probe: Probe, driver: Spawner, url: str, timeout: float) -> None:
    """Return once the server itself answers at `url` with any status below 500.

    Raises NotReady after `timeout` seconds, or as soon as the driver says that the server has ended.
    """
    pause = _FIRST_PAUSE
    try:
        async with asyncio.timeout(timeout):
            while not await is_ready(probe, driver, url):
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, _LONGEST_PAUSE)
                if pause >= _LONGEST_PAUSE / 4:
                    await _check_alive(driver)
    except TimeoutError:
        facts = await _examine(probe, url, driver)
        raise NotReady(
            Evidence(stage=Stage.READY, end=End.SILENT, limit=timeout, facts={"url": url, **facts})
        ) from None


async def _check_alive(driver: Spawner) -> None:
    life, status = await drive.poll(driver)
    if life is drive.Life.DEAD:
        raise NotReady(Evidence(stage=Stage.READY, end=End.ENDED, status=status))


async def _examine(probe: Probe, url: str, driver: Spawner) -> Mapping[str, str]:
    try:
        async with asyncio.timeout(EXAMINATION):
            strange = {} if await drive.is_reached(driver) else {"other": "of another account"}
            return {**strange, **await probe.examine(url, driver.run_labels())}
    except Exception:
        _log.exception("The server at %s cannot be examined", url)
        return {}
