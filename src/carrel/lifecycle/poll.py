"""Looking whether running servers still live, and what became of interrupted starts."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace

from carrel.core.context import HubContext
from carrel.core.drivers import driver_of
from carrel.core.metrics import done
from carrel.core.servers import change, server_path
from carrel.domain.causes.rule import End, Stage
from carrel.domain.events import OrphanFound, Work
from carrel.domain.failures import Evidence, diagnose
from carrel.domain.servers import Actual, Server
from carrel.domain.transitions import Action, next_action
from carrel.lifecycle import drive
from carrel.lifecycle.drive import Life
from carrel.lifecycle.evidence import NotReady, cut_off, explain
from carrel.lifecycle.finder import Finder
from carrel.lifecycle.lease import Leases
from carrel.lifecycle.start import Starter
from carrel.lifecycle.stop import DEADLINE, drop_rights, ended, run_hooks
from carrel.spawners.base import Spawner
from carrel.spawners.classes import UnknownSpawner

_log = logging.getLogger("carrel.lifecycle")


#: A server whose driver cannot tell is dead after so many probes in a row that failed…
DOUBTS = 3
#: …over at least so many seconds, with so many between two of them.
DOUBT_SPAN = 30.0
DOUBT_EVERY = 15.0
#: How long a server is left alone whose spawner is not to be had.
_BLIND_PAUSE = 30.0
#: What a poll found, as the metrics call it.
_FOUND = {Life.ALIVE: "running", Life.DEAD: "stopped"}
#: Without a checkpoint nothing may have been started, and the log a driver shows may be an earlier run's.
_LOST = Evidence(stage=Stage.START, end=End.LOST)


@dataclass(frozen=True, slots=True)
class _Doubt:
    generation: int
    since: float
    probes: int


@dataclass(frozen=True, slots=True)
class Poller:
    """Polls and recovers servers for one hub process."""

    ctx: HubContext
    starter: Starter
    leases: Leases
    finder: Finder
    doubts: dict[int, _Doubt] = field(default_factory=dict)

    async def poll(self, server: Server) -> float:
        """Check a running server and return after how many seconds to look again.

        One that has ended becomes failed, with its exit status and its last lines; one that cannot be
        asked is left as it is.
        """
        try:
            driver = await driver_of(self.ctx, server)
        except UnknownSpawner as error:
            _log.error("%s cannot be looked at: %s. %s", server_path(self.ctx, server), error, error.hint)
            return _BLIND_PAUSE
        began, known = self.ctx.clock.monotonic(), driver.server.host
        try:
            life, status = await drive.poll(driver)
        except asyncio.CancelledError:
            # Cut off, it may have taken that for the server's end and forgotten what it knew.
            self.ctx.live.doubt(server)
            raise
        if life is Life.UNKNOWN:
            self.ctx.live.doubt(server)
        done(self.ctx, Work.POLL, began, _FOUND.get(life, "unknown"))
        if life is Life.DEAD:
            await self._bury(server, driver, Evidence(stage=Stage.RUNNING, end=End.ENDED, status=status))
            return self._pause(driver)
        if life is Life.ALIVE and driver.server.host not in ("", known):
            await self._follow(server, driver.server.host)
        if not driver.knows_death:
            return await self._poll_address(server, driver)
        return self._pause(driver)

    async def _follow(self, server: Server, url: str) -> None:
        """Have requests go where the driver says that the server answers by now."""

        def move(row: Server) -> Server:
            same_run = row.generation == server.generation and row.actual is Actual.RUNNING
            return replace(row, url=url) if same_run else row

        if await change(self.ctx, server.id, move, durable=True) is not None:
            _log.warning("%s answers at %s now", server_path(self.ctx, server), url)
            self.starter.routes.nudge()

    async def _poll_address(self, server: Server, driver: Spawner) -> float:
        """Ask the server itself, where its driver cannot tell whether it lives."""
        if await self.starter.answers(server):
            self.doubts.pop(server.id, None)
            return self._pause(driver)
        now = self.ctx.clock.monotonic()
        doubt = self.doubts.get(server.id)
        if doubt is None or doubt.generation != server.generation:
            doubt = _Doubt(server.generation, now, 0)
        doubt = replace(doubt, probes=doubt.probes + 1)
        self.doubts[server.id] = doubt
        if doubt.probes < DOUBTS or now - doubt.since < DOUBT_SPAN:
            return DOUBT_EVERY
        del self.doubts[server.id]
        silence = round(now - doubt.since)
        await self._bury(server, driver, Evidence(stage=Stage.RUNNING, end=End.SILENT, limit=silence))
        return self._pause(driver)

    def _pause(self, driver: Spawner) -> float:
        spread = float(driver.poll_jitter)
        return float(driver.poll_interval) * (1 + spread * (2 * self.ctx.chance() - 1))

    async def recover(self, server: Server) -> None:
        """Take over a start whose hub died: finish it when something lives, clean up otherwise."""

        def take(row: Server) -> Server:
            if next_action(row, self.ctx.clock.now(), self.leases.owner) is not Action.RECOVER:
                return row
            # The deadline that the row has stays: an adopter must not start the clock again.
            return self.leases.take(row, row.deadline or self.ctx.clock.now())

        row = await self.leases.acquire(server, take)
        if row is None:
            return
        driver = await driver_of(self.ctx, row)
        taken = await self._take_over(row, driver)
        may_resume = taken is not False and not row.url and drive.resumes(type(driver))
        if may_resume and await self.starter.resume(row, driver):
            return
        life, status = await self._life(driver, taken)
        url = row.url or _endpoint(driver)
        if life is Life.DEAD or not url:
            began = life is Life.DEAD and bool(row.state)
            stage = Stage.READY if row.url else Stage.START
            seen = Evidence(stage=stage, end=End.ENDED, status=status) if began else _LOST
            await self.starter.fail(row, driver, cut_off(seen))
            return
        try:
            row = await self.starter.checkpoint(row, driver, driver.get_state(), url)
            await self.starter.finish(row, driver)
            _log.info("%s was adopted", server_path(self.ctx, row))
        except NotReady as error:
            await self.starter.fail(row, driver, cut_off(error.evidence))

    async def _take_over(self, row: Server, driver: Spawner) -> bool | None:
        """Let `driver` know the run of a start that was interrupted, if there is one; None asks itself."""
        if row.state or not drive.finds_orphans(type(driver)):
            # Without a checkpoint one that goes by names may know its server all the same.
            return None
        if not await self.finder.take_over(row, driver):
            return False
        _log.warning("%s ran without a checkpoint and is adopted", server_path(self.ctx, row))
        self.ctx.bus.publish(OrphanFound(row.id, row.generation, adopted=True))
        return True

    async def _life(self, driver: Spawner, taken: bool | None) -> tuple[Life, int | None]:
        """Return what became of a run whose start was interrupted, and its exit status."""
        if taken is None:
            return await drive.poll(driver)
        return (Life.ALIVE if taken else Life.DEAD), None

    async def abort(self, server: Server) -> None:
        """End a start whose deadline has passed, whatever it is doing."""

        def late(row: Server) -> Evidence:
            return Evidence(stage=Stage.READY if row.url else Stage.START, end=End.LATE)

        def take(row: Server) -> Server:
            now = self.ctx.clock.now()
            if next_action(row, now, self.leases.owner) is not Action.ABORT:
                return row
            taken = self.leases.take(row, now + DEADLINE)
            return replace(taken, actual=Actual.STOPPING, failure=diagnose(late(row)))

        row = await self.leases.acquire(server, take)
        if row is not None:
            driver = await driver_of(self.ctx, row)
            await self.starter.clear_away(row, driver, late(row))

    async def _bury(self, server: Server, driver: Spawner, seen: Evidence) -> None:
        failure = await explain(self.ctx, server, driver, seen, await drive.logs(driver))

        def bury(row: Server) -> Server:
            same_run = row.generation == server.generation and row.actual is Actual.RUNNING
            return ended(row, failure) if same_run else row

        row = await change(self.ctx, server.id, bury, also=drop_rights(server), durable=True)
        if row is None or row.failure is not failure:
            return
        _log.warning("%s has ended: %s", server_path(self.ctx, row), failure.message)
        if self.ctx.peers.others:
            # The row is anybody's now: what another hub has started since may have its route already.
            self.starter.routes.nudge()
        else:
            await self.starter.routes.remove(row)
        await run_hooks(self.ctx, driver)


def _endpoint(driver: Spawner) -> str:
    """Return where a driver's checkpoint says that its server answers, or nothing when it does not say."""
    if not driver.server.port:
        # What the settings say may be true inside a container alone: here, somebody else listens there.
        return ""
    try:
        return drive.endpoint(driver, None)
    except ValueError:
        return ""
