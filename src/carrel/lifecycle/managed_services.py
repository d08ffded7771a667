"""Running the services that have a command: at one hub of several, and again when they have ended."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import partial

from carrel.config.services import ServiceSetting
from carrel.core.context import HubContext
from carrel.core.runs import log_directory
from carrel.core.service_records import renew_token
from carrel.domain.events import Event, EventsMissed, HubsChanged, ServiceChanged
from carrel.domain.services import Service
from carrel.lib.backoff import Backoff
from carrel.lib.process_table import Process
from carrel.lib.processes import wait_until_gone
from carrel.lifecycle.service_environment import HubFacts
from carrel.lifecycle.service_processes import CannotStart, ServiceMachine, end, exit_words, forgotten
from carrel.storage.base import StorageError, StorageUnavailable

#: How long a hub is the one that runs a service without saying so again, and how often it does, in seconds.
_LASTS = 20.0
_RENEW = 5.0
#: How long before its lease is over a hub that cannot renew it ends what it runs.
_EARLY = 2.5
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
#: A run of this length was a good one: the next end is not another failure of the same thing.
_GOOD_RUN = 60.0
_log = logging.getLogger("carrel.services")


class ManagedServices:
    """All managed services, as far as this hub is the one that runs them."""

    def __init__(self, ctx: HubContext, settings: Iterable[ServiceSetting]) -> None:
        hub = HubFacts(
            ctx.hub.hub_id,
            ctx.peers.owner,
            ctx.hub.api_url,
            ctx.settings.base_url,
            ctx.hosts,
            ctx.settings.tornado_settings.get("cookie_options", {}),
            ctx.settings.cookie_host_prefix_enabled,
        )
        logs = log_directory(ctx).with_name("services")
        machine = partial(
            ServiceMachine, hub=hub, directory=ctx.settings.directory, logs=logs, environ=dict(os.environ)
        )
        self._ctx = ctx
        self._runners = [ServiceRunner(ctx, machine(each)) for each in settings if each.command]
        self._names = frozenset(runner.name for runner in self._runners)

    async def run(self) -> None:
        """Keep them running until cancelled; what runs is ended by `stop`.

        What an earlier hub has left of services that are no more is ended first.
        """
        await asyncio.gather(self._end_forgotten(), *(runner.run() for runner in self._runners))

    async def _end_forgotten(self) -> None:
        peers = self._ctx.peers
        owners = frozenset({peers.owner, *(hub.owner for hub in peers.others)})
        try:
            found = await asyncio.to_thread(forgotten, self._ctx.hub.hub_id, self._names, owners)
            for name, process in found:
                _log.warning("Service %s is gone and its process %d still runs: ending it", name, process.pid)
                await end(process, name)
        except Exception:
            _log.exception("What is left of services that are no more could not be ended")

    async def stop(self) -> None:
        """End them and let another hub take over; never fails."""
        await asyncio.gather(*(runner.stop() for runner in self._runners))

    def heed(self, event: Event) -> None:
        """Look at once when another hub may have ceased to run one; give this to the bus."""
        if isinstance(event, ServiceChanged | HubsChanged | EventsMissed):
            for runner in self._runners:
                runner.wake(others=not isinstance(event, ServiceChanged))


class ServiceRunner:
    """One managed service."""

    def __init__(self, ctx: HubContext, machine: ServiceMachine) -> None:
        self._ctx = ctx
        self._machine = machine
        self.name = machine.setting.name
        self._backoff: Backoff[str] = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, ctx.chance)
        self._woken = asyncio.Event()
        self._service: Service | None = None
        """Its row, while this hub is the one that runs it."""
        self._renewed = 0.0
        self._process: Process | None = None
        self._started = 0.0
        self._token = ""
        self._leftovers = True

    async def run(self) -> None:
        """Keep it running until cancelled."""
        while True:
            try:
                pause = await self._step()
            except StorageUnavailable as error:
                _log.warning("Service %s cannot be looked after now, trying again: %s", self.name, error)
                pause = await self._doubt()
            except Exception:
                _log.exception("Service %s cannot be looked after; trying again", self.name)
                pause = _RENEW
            if pause:
                await self._rest(pause)

    def wake(self, *, others: bool = False) -> None:
        """Have it looked at before its time; with `others`, also for what hubs that are gone have left."""
        self._leftovers = self._leftovers or others
        self._woken.set()

    async def stop(self) -> None:
        """End what runs, and say that it does not any more; never fails."""
        await self._end()
        service, self._service = self._service, None
        if service is None:
            return
        try:
            async with self._ctx.store.write() as tx:
                await tx.services.set_process(service.id, self._owner, "", 0, "")
                await tx.services.release(service.id, self._owner)
                tx.announce(ServiceChanged(service.id))
        except StorageError as error:
            _log.warning("Other hubs take service %s over in a while only: %s", self.name, error)

    @property
    def _owner(self) -> str:
        return self._ctx.peers.owner

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        self._woken.clear()

    async def _step(self) -> float:
        """Do what is next, and return how long to rest."""
        service = await self._claim_in_time()
        if service is None:
            await self._end()
            await self._end_leftovers()
            return _RENEW
        if self._process is None:
            wait = self._backoff.wait(self.name)
            if wait:
                return min(wait, _RENEW)
            if not await self._adopt(service):
                await self._start(service)
        if self._process is not None and await wait_until_gone(self._process, _RENEW):
            await self._note_end(service, self._process)
        await asyncio.to_thread(self._machine.bound, service.id)
        return 0.0

    async def _claim_in_time(self) -> Service | None:
        """Do as `_claim` does; a database that is silent until the lease is nearly over has lost it."""
        if self._service is None or self._ctx.store.single_hub:
            return await self._claim()
        left = self._renewed + _LASTS - _EARLY - self._ctx.clock.monotonic()
        try:
            async with asyncio.timeout(max(0.0, left)):
                return await self._claim()
        except TimeoutError:
            self._service = None
            await self._end()
            raise StorageUnavailable("it has not answered in time") from None

    async def _claim(self) -> Service | None:
        """Return the row when this hub is to run the service, and None while another one does."""
        alone = self._ctx.store.single_hub
        if alone and self._service is not None:
            return self._service
        moment, now = self._ctx.clock.monotonic(), self._ctx.clock.now()
        async with self._ctx.store.write() as tx:
            service = await tx.services.get(self.name)
            held = service is not None and await tx.services.claim(
                service.id, self._owner, expires=now + _LASTS, now=now, force=alone
            )
        if self._service is not None and not held:
            _log.warning("Another hub runs service %s now", self.name)
        self._service, self._renewed = (service if held else None), moment
        return self._service

    async def _doubt(self) -> float:
        """End what runs when another hub may have taken over: the database has been away for too long."""
        late = self._ctx.clock.monotonic() - self._renewed > _LASTS - _EARLY
        if late and self._service is not None and not self._ctx.store.single_hub:
            self._service = None
            await self._end()
        return 1.0

    async def _adopt(self, service: Service) -> bool:
        """Take over what an earlier hub left running, if it is what would be started now; end all else."""
        process = None
        if service.node == self._ctx.peers.node:
            process = await asyncio.to_thread(self._machine.adopt, service.pid, service.start_time)
        for stray in await asyncio.to_thread(self._machine.strays, process):
            _log.warning("Service %s has a process %d of an earlier hub: ending it", self.name, stray.pid)
            await end(stray, self.name)
        if process is None:
            return False
        _log.info("Service %s is still running as process %d", self.name, process.pid)
        self._process, self._started = process, self._ctx.clock.monotonic()
        return True

    async def _end_leftovers(self) -> None:
        """End what hubs that are gone have left here, for when another hub runs the service by now."""
        if not self._leftovers:
            return
        self._leftovers = False
        owners = frozenset({self._owner, *(hub.owner for hub in self._ctx.peers.others)})
        for stray in await asyncio.to_thread(self._machine.strays, None, owners):
            _log.warning("Service %s has a process %d of an earlier hub: ending it", self.name, stray.pid)
            await end(stray, self.name)

    async def _start(self, service: Service) -> None:
        self._token = self._machine.setting.api_token
        if not self._token:
            async with self._ctx.store.write(durable=True) as tx:
                self._token = await renew_token(tx, service, self._ctx.clock.now())
        try:
            self._process = await self._machine.start(service.id, self._token)
        except CannotStart as error:
            pause = self._backoff.fail(self.name)
            _log.error("Service %s cannot be started: %s; again in %.0f s", self.name, error, pause)
            return
        self._started = self._ctx.clock.monotonic()
        _log.info("Service %s runs as process %d", self.name, self._process.pid)
        process, node = self._process, self._ctx.peers.node
        async with self._ctx.store.write() as tx:
            ours = await tx.services.set_process(
                service.id, self._owner, node, process.pid, process.start_time
            )
        if not ours:
            self._service = None
            await self._end()

    async def _note_end(self, service: Service, process: Process) -> None:
        self._process = None
        lasted = self._ctx.clock.monotonic() - self._started
        if lasted >= _GOOD_RUN:
            self._backoff.clear(self.name)
        pause = self._backoff.fail(self.name)
        for line in self._machine.tail(service.id, self._token).splitlines():
            _log.error("Service %s wrote: %s", self.name, line)
        text = "Service %s %s after %.0f s; it is started again in %.0f s"
        _log.error(text, self.name, exit_words(process), lasted, pause)
        async with self._ctx.store.write() as tx:
            await tx.services.set_process(service.id, self._owner, "", 0, "")

    async def _end(self) -> None:
        # It is known until it has ended: when the hub stops meanwhile, `stop` goes on with it.
        if self._process is not None:
            await end(self._process, self.name)
            self._process = None
