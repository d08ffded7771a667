"""Looking whether services answer, all at once and in the background; one that does not is only told of."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from carrel.core.context import HubContext
from carrel.domain.events import Event, EventsMissed, ServiceChanged
from carrel.domain.services import Service, service_prefix, service_target
from carrel.lib.httpclient import send
from carrel.storage.base import StorageUnavailable

_AT_ONCE = 20
_SECONDS = 10.0
#: How often one is looked at that has yet to answer for the first time, in seconds.
_EAGER = 1.0
_log = logging.getLogger("carrel.services")

#: Tells whether something answers at a URL.
Look = Callable[[str], Awaitable[bool]]


async def answers(url: str) -> bool:
    """Tell whether there is an HTTP answer that is no failure of the server; redirects are not followed."""
    try:
        return (await send("GET", url, seconds=_SECONDS)).status < 500
    except (TimeoutError, OSError, ValueError):
        return False


@dataclass(slots=True)
class _Seen:
    """What is known of one service."""

    url: str
    patient_until: float
    up: bool | None = None
    """None until it has answered, or has had its time to."""


class ServiceChecks:
    """Says in the log which services do not answer, and when they do again."""

    def __init__(self, ctx: HubContext, look: Look = answers) -> None:
        self._ctx = ctx
        self._look = look
        self._seen: dict[int, _Seen] = {}
        self._changed = asyncio.Event()
        self._places = asyncio.Semaphore(_AT_ONCE)

    def heed(self, event: Event) -> None:
        """Look at once when a service has come or changed; give this to the bus."""
        if isinstance(event, ServiceChanged | EventsMissed):
            self._changed.set()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except StorageUnavailable as error:
                _log.debug("Services are not looked at now: %s", error)
            except Exception:
                _log.exception("Services could not be looked at; trying again")
            eager = any(seen.up is None for seen in self._seen.values())
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    _EAGER if eager else self._ctx.settings.service_check_interval or None
                ):
                    await self._changed.wait()
            self._changed.clear()

    async def look(self) -> None:
        """Look at every service that has a URL, once."""
        async with self._ctx.store.read() as tx:
            services = [service for service in await tx.services.all() if service.url]
        self._seen = {service.id: self._known(service) for service in services}
        await asyncio.gather(*(self._check(service) for service in services))

    def _known(self, service: Service) -> _Seen:
        seen = self._seen.get(service.id)
        if seen is not None and seen.url == service.url:
            return seen
        return _Seen(service.url, self._ctx.clock.monotonic() + service.timeout)

    async def _check(self, service: Service) -> None:
        place = service_target(service.url) + service_prefix(self._ctx.settings.base_url, service.name)
        async with self._places:
            up = await self._look(place)
        seen = self._seen[service.id]
        kind = "Managed" if service.command else "External"
        if up and not seen.up:
            _log.info("%s service %s answers at %s", kind, service.name, service.url)
            seen.up = True
        elif not up and (seen.up or (seen.up is None and self._ctx.clock.monotonic() >= seen.patient_until)):
            text = "%s service %s does not answer at %s. Is it running?"
            _log.warning(text, kind, service.name, service.url)
            seen.up = False
