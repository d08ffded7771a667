"""Looking whether running servers still live, and what became of interrupted starts."""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass

from carrel.core.context import HubContext
from carrel.core.drivers import build_driver, load_user
from carrel.core.servers import change, server_path
from carrel.domain.events import OrphanFound
from carrel.domain.servers import Actual, Failure, Server
from carrel.domain.transitions import Action, next_action
from carrel.lifecycle import drive, lease
from carrel.lifecycle.drive import Life
from carrel.lifecycle.finder import Finder
from carrel.lifecycle.readiness import NotReady
from carrel.lifecycle.start import Starter, ended
from carrel.lifecycle.stop import STOP_LIMIT, drop_rights, run_hooks
from carrel.spawners.base import Spawner

_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class Poller:
    """Polls and recovers servers for one hub process."""

    ctx: HubContext
    starter: Starter
    finder: Finder
    owner: str

    async def poll(self, server: Server) -> float:
        """Check a running server and return after how many seconds to look again.

        One that has ended becomes failed, with its exit status and its last lines; one that cannot be
        asked is left as it is.
        """
        driver = build_driver(self.ctx, server, await load_user(self.ctx, server))
        life, status = await drive.poll(driver)
        if life is Life.DEAD:
            await self._bury(server, driver, status)
        spread = float(driver.poll_jitter)
        return float(driver.poll_interval) * random.uniform(1 - spread, 1 + spread)  # noqa: S311

    async def recover(self, server: Server) -> None:
        """Take over a start whose hub died: finish it when something lives, clean up otherwise."""

        def take(row: Server) -> Server:
            if next_action(row, self.ctx.clock.now(), self.owner) is not Action.RECOVER:
                return row
            # The deadline that the row has stays: an adopter must not start the clock again.
            return lease.take(row, self.owner, row.deadline or self.ctx.clock.now())

        row = await change(self.ctx, server.id, take)
        if row is None or row.lease is None or row.lease.owner != self.owner:
            return
        driver = build_driver(self.ctx, row, await load_user(self.ctx, row))
        life = await self._life(row, driver)
        url = row.url or _endpoint(driver)
        if life is Life.DEAD or not url:
            lost = Failure("lost", "The hub was restarted while the server started.", hint="Start it again.")
            await self.starter.fail(row, driver, lost)
            return
        try:
            await self.starter.finish(await self.starter.checkpoint(row, driver.get_state(), url), driver)
            _log.info("%s was adopted", server_path(self.ctx, row))
        except NotReady as error:
            await self.starter.fail(row, driver, Failure(error.code, str(error)))

    async def _life(self, row: Server, driver: Spawner) -> Life:
        """Return what became of a run whose start was interrupted; `driver` knows it then."""
        if row.state:
            return (await drive.poll(driver))[0]
        if not await self.finder.take_over(row, driver):
            return Life.DEAD
        _log.warning("%s ran without a checkpoint and is adopted", server_path(self.ctx, row))
        self.ctx.bus.publish(OrphanFound(row.id, row.generation, adopted=True))
        return Life.ALIVE

    async def abort(self, server: Server) -> None:
        """End a start whose deadline has passed and that nobody works on."""

        def take(row: Server) -> Server:
            now = self.ctx.clock.now()
            if next_action(row, now, self.owner) is not Action.ABORT:
                return row
            return lease.take(row, self.owner, now + STOP_LIMIT)

        row = await change(self.ctx, server.id, take)
        if row is None or row.lease is None or row.lease.owner != self.owner:
            return
        driver = build_driver(self.ctx, row, await load_user(self.ctx, row))
        late = Failure("timeout", "The server did not start in time.", hint="Try again.")
        await self.starter.fail(row, driver, late)

    async def _bury(self, server: Server, driver: Spawner, status: int | None) -> None:
        log = await drive.logs(driver)
        failure = Failure("exit", f"The server ended with status {status}.", log=log)

        def bury(row: Server) -> Server:
            same_run = row.generation == server.generation and row.actual is Actual.RUNNING
            return ended(row, failure) if same_run else row

        row = await change(self.ctx, server.id, bury, also=drop_rights(server), durable=True)
        if row is None or row.failure is not failure:
            return
        _log.warning("%s has ended with status %s", server_path(self.ctx, row), status)
        await self.starter.routes.remove(row)
        await run_hooks(self.ctx, row, driver)


def _endpoint(driver: Spawner) -> str:
    """Return where a driver's checkpoint says that its server answers, or nothing when it does not say."""
    try:
        return drive.endpoint(driver, None)
    except ValueError:
        return ""
