"""The steps of a stop, and of cleaning up after a run that ended by itself or never began."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from carrel.core.context import HubContext
from carrel.core.drivers import driver_of
from carrel.core.metrics import timed
from carrel.core.servers import server_path
from carrel.domain.causes.rule import Stage
from carrel.domain.events import ClientEnded, RightsChanged, ServerActed, Work
from carrel.domain.failures import diagnose
from carrel.domain.servers import Actual, Failure, Server
from carrel.domain.transitions import Action, next_action
from carrel.lifecycle import drive
from carrel.lifecycle.drive import Life
from carrel.lifecycle.evidence import Course, clean_log
from carrel.lifecycle.finder import Finder
from carrel.lifecycle.lease import LeaseLost, Leases
from carrel.lifecycle.routes import RouteKeeper
from carrel.spawners.base import Spawner
from carrel.storage.base import Transaction

#: How long one call of a driver's stop may take, in seconds; the drivers' own escalation fits into it.
CALL_LIMIT = 75.0
#: When a stop has taken too long: both calls, a poll between them, the log and the hooks have had their time.
DEADLINE = 2 * CALL_LIMIT + 4 * drive.CALL_LIMIT
#: Said of a server that runs and cannot be ended.
CANNOT_STOP = "stop-error"
_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class Stopper:
    """Stops servers for one hub process."""

    ctx: HubContext
    routes: RouteKeeper
    leases: Leases
    finder: Finder

    async def stop(self, server: Server, *, force: bool = False) -> None:
        """End a server's run, whatever state its start or stop was left in; the outcome is in the row.

        Raises what the driver raises when the server cannot be ended: the row says so and keeps its state,
        and the next attempt allows no time for a clean end.
        """
        deadline = self.ctx.clock.now() + DEADLINE

        def take(row: Server) -> Server:
            action = next_action(row, self.ctx.clock.now(), self.leases.owner)
            if action not in (Action.STOP, Action.CANCEL, Action.FORCE):
                return row
            return replace(self.leases.take(row, deadline), actual=Actual.STOPPING)

        row = await self.leases.acquire(server, take)
        if row is None:
            return
        with timed(self.ctx, Work.STOP):
            await self.finish(row, now=force or row.failure is not None)
        if row.started is not None:
            self.ctx.bus.publish(ServerActed("stop", row.user_name, row.name))

    async def finish(self, row: Server, driver: Spawner | None = None, *, now: bool) -> Server:
        """Clean up a run whose row says stopping under our lease, and write what it came to.

        That is failed when the row has a start's failure, stopped otherwise. Raises as `stop` does.
        """
        failure = row.failure
        try:
            if driver is None:
                driver = await driver_of(self.ctx, row)
                if failure is not None and failure.code != CANNOT_STOP and not failure.log:
                    failure = replace(failure, log=clean_log(driver, await drive.logs(driver)))
            if not drive.state_of(driver, row.state):
                # Interrupted before its checkpoint, maybe by the death of a hub: it may run all the same.
                await self.finder.take_over(row, driver)
            await self.clean_up(row, driver, now=now)
        except LeaseLost:
            self.ctx.live.forget(row.id, row.generation)
            raise
        except asyncio.CancelledError:
            self.ctx.live.doubt(row)
            raise
        except Exception as error:
            self.ctx.live.doubt(row)
            await self._confess(row, failure or _why_it_stays(error))
            raise
        ended = await self.leases.write(row, lambda current: _at_rest(current, failure), drop_rights(row))
        _log.info("%s has stopped", server_path(self.ctx, ended))
        return ended

    async def clean_up(self, row: Server, driver: Spawner, *, now: bool) -> None:
        """Remove a run from the world: its route and its process. May be repeated.

        A driver that fails to stop is asked whether anything is left, and is forced then; what it still
        raises is raised, so that the row keeps saying that something is there.
        """
        await self.routes.remove(row, self.leases.check)
        try:
            await drive.stop(driver, now=now, limit=CALL_LIMIT)
        except Exception as error:
            name, path = type(driver).__name__, server_path(self.ctx, row)
            # JupyterHub stops only what lives, and its plug-ins may count on that. Those that go by names
            # find what they have no checkpoint of when they are asked.
            if (await drive.poll(driver))[0] is Life.DEAD:
                _log.info("%s has nothing left to stop of %s: %s", name, path, error)
            elif now:
                raise
            else:
                _log.exception("%s could not stop %s; forcing", name, path)
                self.leases.check(row)
                await drive.stop(driver, now=True, limit=CALL_LIMIT)
        await run_hooks(self.ctx, driver)

    async def _confess(self, row: Server, failure: Failure) -> None:
        """Say in the row that the server is still there, and leave it to whoever tries next."""
        await self.leases.write(row, lambda current: replace(current, lease=None, failure=failure))


async def run_hooks(ctx: HubContext, driver: Spawner) -> None:
    """Call what the deployer wants called after a run, and let the driver forget it; never fails."""
    await drive.hook(driver, "post_stop_hook", driver.run_post_stop_hook)
    after = ctx.authenticator.post_spawn_stop
    await drive.hook(driver, "post_spawn_stop", lambda: after(driver.user, driver))
    await drive.hook(driver, "clear_state", driver.clear_state)
    ctx.live.forget(driver.server_id, driver.generation)


def _why_it_stays(error: Exception) -> Failure:
    return diagnose(Course(Stage.STOP, "stop()").raised(error))


def _at_rest(row: Server, failure: Failure | None) -> Server:
    if failure is not None and failure.code != CANNOT_STOP:
        return ended(row, failure)
    return replace(ended(row, None), actual=Actual.STOPPED)


def ended(row: Server, failure: Failure | None) -> Server:
    """Return `row` as it stands when its run is over because of `failure`."""
    return replace(
        row, actual=Actual.FAILED, lease=None, deadline=None, url="", state={}, started=None, failure=failure
    )


def drop_rights(row: Server) -> Callable[[Transaction], Awaitable[None]]:
    """Return what takes a run's token and OAuth client away, for the transaction that writes its end.

    Every hub hears of it, and forgets the rights of whoever visited the run.
    """

    async def drop(tx: Transaction) -> None:
        await tx.tokens.delete_of_server(row.id)
        ended = await tx.oauth.delete_clients_of_server(row.id)
        tx.announce(RightsChanged(row.user_id))
        for client in ended:
            tx.announce(ClientEnded(client))

    return drop
