"""The steps of a start, from the intent in the row to a server that answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from carrel.core.context import HubContext
from carrel.core.drivers import build_driver
from carrel.core.oauth import client_of_server
from carrel.core.servers import publish_change, server_path
from carrel.core.tokens import new_record
from carrel.domain.roles import scopes_of_server_token
from carrel.domain.servers import Actual, Failure, Server
from carrel.domain.users import User
from carrel.lib.awaiting import resolve
from carrel.lib.ids import new_token
from carrel.lifecycle import drive, lease
from carrel.lifecycle.progress import relay, say, say_outcome
from carrel.lifecycle.readiness import NotReady, Probe, wait_until_ready
from carrel.lifecycle.routes import RouteKeeper
from carrel.lifecycle.stop import STOP_LIMIT, clean_up, drop_rights, publish_end
from carrel.spawners.base import Spawner
from carrel.storage.base import Transaction

#: What a start may take beyond the driver's own time-outs before the sweeper ends it, in seconds.
_MARGIN = 5.0
_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts servers for one hub process."""

    ctx: HubContext
    routes: RouteKeeper
    probe: Probe
    owner: str

    async def start(self, server: Server) -> None:
        """Start a server whose row asks for it; the outcome is in the row.

        Raises LeaseLost when somebody else took over on the way.
        """
        begun = await self._begin(server)
        if begun is None:
            return
        row, driver = begun
        driver.state_saver = lambda state: self.checkpoint(row, state)
        say(self.ctx, row, 0, "Server requested")
        try:
            url = await self._run_driver(row, driver)
            await self.finish(await self.checkpoint(row, driver.get_state(), url), driver)
        except (asyncio.CancelledError, lease.LeaseLost):
            raise
        except NotReady as error:
            await self.fail(row, driver, Failure(error.code, str(error)))
        except Exception as error:
            _log.exception("The start of %s failed", server_path(self.ctx, row))
            await self.fail(row, driver, drive.failure_of(error))

    async def finish(self, row: Server, driver: Spawner) -> None:
        """Wait until a started server answers, route it and call it running.

        Raises NotReady when it does not answer in time.
        """
        say(self.ctx, row, 60, "Waiting for the server to answer")
        api = f"{row.url}{server_path(self.ctx, row)}api"
        await wait_until_ready(self.probe, driver, api, float(driver.http_timeout))
        now = self.ctx.clock.now()
        try:
            await self.routes.add(row)
            ready = await lease.write(
                self.ctx,
                row,
                lambda current: replace(
                    current,
                    actual=Actual.RUNNING,
                    lease=None,
                    deadline=None,
                    failure=None,
                    started=now,
                    state=driver.get_state(),
                ),
            )
        finally:
            # From here on the row alone says whether there is a route, also when the lease was lost.
            self.routes.settled(row)
        self.ctx.activity.server(ready.id, now)
        say_outcome(self.ctx, ready)
        _log.info("%s is ready", server_path(self.ctx, ready))

    async def fail(self, row: Server, driver: Spawner, failure: Failure) -> None:
        """Clean up after a start that failed and say why in the row."""
        # For the log, for finding what runs, and for ending it.
        until = self.ctx.clock.now() + 2 * drive.CALL_LIMIT + STOP_LIMIT
        row = await lease.write(self.ctx, row, lambda current: lease.extend(current, until))
        log = await drive.logs(driver)
        await clean_up(self.ctx, self.routes, row, driver, now=True)
        failed = await lease.write(
            self.ctx, row, lambda current: ended(current, replace(failure, log=log)), drop_rights(row)
        )
        publish_end(self.ctx, failed)
        say_outcome(self.ctx, failed)
        _log.warning("%s did not start: %s", server_path(self.ctx, failed), failure.message)

    async def _begin(self, server: Server) -> tuple[Server, Spawner] | None:
        """Write the intent, or at once that no driver could be built; None when there is nothing to start."""
        driver = None
        async with self.ctx.store.write(durable=True) as tx:
            user = await tx.users.get_by_id(server.user_id)
            if user is None:
                return None
            intent = replace(server, generation=server.wanted_generation, state={}, url="", failure=None)
            try:
                driver = build_driver(self.ctx, intent, user)
            except Exception as error:
                _log.exception("No driver can be built for %s", server_path(self.ctx, server))
                row = await tx.servers.save(ended(intent, drive.failure_of(error)))
            else:
                row = await self._write_intent(tx, user, intent, driver)
        if row is None:
            return None
        publish_change(self.ctx, row)
        if driver is None:
            say_outcome(self.ctx, row)
            return None
        return row, driver

    async def _write_intent(
        self, tx: Transaction, owner: User, intent: Server, driver: Spawner
    ) -> Server | None:
        """Write the row of a start that begins, and the token and OAuth client that the server gets."""
        now = self.ctx.clock.now()
        deadline = now + float(driver.start_timeout) + float(driver.http_timeout) + _MARGIN
        row = await tx.servers.save(replace(lease.take(intent, self.owner, deadline), actual=Actual.STARTING))
        if row is None:
            return None
        await tx.tokens.delete_of_server(row.id)
        driver.api_token = new_token()
        scopes = sorted(scopes_of_server_token(row.user_name, row.name))
        note = f"Server at {server_path(self.ctx, row)}"
        token = await tx.tokens.add(
            new_record(owner, driver.api_token, scopes, now=now, note=note, server_id=row.id)
        )
        await tx.oauth.put_client(client_of_server(row, self.ctx.settings.base_url, token.hashed))
        return row

    async def _run_driver(self, row: Server, driver: Spawner) -> str:
        limit = float(driver.start_timeout)
        try:
            async with asyncio.timeout(limit) as timer, relay(self.ctx, row, driver):
                await resolve(self.ctx.authenticator.pre_spawn_start(driver.user, driver))
                await resolve(driver.run_auth_state_hook(None))
                await driver.run_apply_user_options(driver.user_options)
                await resolve(driver.run_pre_spawn_hook())
                say(self.ctx, row, 20, "Starting the server")
                return await drive.start(driver)
        except TimeoutError:
            if timer.expired():
                raise NotReady("timeout", f"The server did not start within {limit:g} seconds.") from None
            raise

    async def checkpoint(self, row: Server, state: Mapping[str, Any], url: str = "") -> Server:
        """Keep what the driver needs to find its server again; raises LeaseLost."""
        return await lease.write(
            self.ctx, row, lambda current: replace(current, state=dict(state), url=url or current.url)
        )


def ended(row: Server, failure: Failure) -> Server:
    """Return `row` as it stands when its run is over because of `failure`."""
    return replace(
        row, actual=Actual.FAILED, lease=None, deadline=None, url="", state={}, started=None, failure=failure
    )
