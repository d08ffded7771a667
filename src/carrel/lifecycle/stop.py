"""The steps of a stop, and of cleaning up after a run that ended by itself."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from carrel.core.context import HubContext
from carrel.core.drivers import build_driver, load_user
from carrel.core.servers import change, server_path
from carrel.domain.events import ClientEnded, RightsChanged
from carrel.domain.names import client_id
from carrel.domain.servers import Actual, Server
from carrel.domain.transitions import Action, next_action
from carrel.lib.awaiting import resolve_within
from carrel.lifecycle import drive, lease
from carrel.lifecycle.routes import RouteKeeper
from carrel.spawners.base import Spawner
from carrel.storage.base import Transaction

#: How long a stop may take before it is forced, in seconds; the drivers' own escalation fits into it.
STOP_LIMIT = 75.0
_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class Stopper:
    """Stops servers for one hub process."""

    ctx: HubContext
    routes: RouteKeeper
    owner: str

    async def stop(self, server: Server, *, force: bool = False) -> None:
        """End a server's run, whatever state its start or stop was left in; the outcome is in the row."""
        deadline = self.ctx.clock.now() + STOP_LIMIT

        def take(row: Server) -> Server:
            if next_action(row, self.ctx.clock.now(), self.owner) not in (
                Action.STOP,
                Action.CANCEL,
                Action.FORCE,
            ):
                return row
            return replace(lease.take(row, self.owner, deadline), actual=Actual.STOPPING)

        row = await change(self.ctx, server.id, take)
        if row is None or row.actual is not Actual.STOPPING:
            return
        user = await load_user(self.ctx, row)
        driver = build_driver(self.ctx, row, user)
        await clean_up(self.ctx, self.routes, row, driver, now=force)
        await lease.write(
            self.ctx,
            row,
            lambda current: replace(
                current, actual=Actual.STOPPED, lease=None, deadline=None, url="", state={}, started=None
            ),
            drop_rights(row),
        )
        publish_end(self.ctx, row)
        _log.info("%s has stopped", server_path(self.ctx, row))


async def clean_up(ctx: HubContext, routes: RouteKeeper, row: Server, driver: Spawner, *, now: bool) -> None:
    """Remove a run from the world: its route and its process. May be repeated.

    A driver that fails to stop is forced; what it still raises is raised, so that the row keeps saying that
    something is there.
    """
    await routes.remove(row)
    await drive.recall(driver)
    if not now:
        try:
            await drive.stop(driver, now=False, limit=STOP_LIMIT)
        except Exception:
            _log.exception("%s could not stop %s; forcing", type(driver).__name__, server_path(ctx, row))
            now = True
    if now:
        await drive.stop(driver, now=True, limit=STOP_LIMIT)
    await run_hooks(ctx, row, driver)


async def run_hooks(ctx: HubContext, row: Server, driver: Spawner) -> None:
    """Call what the deployer wants called after a run, and let the driver forget it; never fails."""
    try:
        await resolve_within(driver.run_post_stop_hook(), drive.CALL_LIMIT)
        await resolve_within(ctx.authenticator.post_spawn_stop(driver.user, driver), drive.CALL_LIMIT)
    except Exception:
        _log.exception("A hook after the stop of %s failed", server_path(ctx, row))
    driver.clear_state()


def drop_rights(row: Server) -> Callable[[Transaction], Awaitable[None]]:
    """Return what takes a run's token and OAuth client away, for the transaction that writes its end."""

    async def drop(tx: Transaction) -> None:
        await tx.tokens.delete_of_server(row.id)
        await tx.oauth.delete_clients_of_server(row.id)

    return drop


def publish_end(ctx: HubContext, row: Server) -> None:
    """Tell this hub that a run's rights have ended, and those of everybody who visited it."""
    ctx.bus.publish(RightsChanged(row.user_id))
    ctx.bus.publish(ClientEnded(client_id(row.user_name, row.name)))
