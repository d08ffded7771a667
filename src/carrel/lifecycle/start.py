"""The steps of a start, from the intent in the row to a server that answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from carrel.core.context import HubContext
from carrel.core.profiles import with_choice
from carrel.core.runs import build_driver, owner_in
from carrel.core.servers import announce_change, server_path
from carrel.domain.causes.rule import Stage
from carrel.domain.errors import NotFound
from carrel.domain.events import ServerActed
from carrel.domain.failures import Evidence, diagnose
from carrel.domain.servers import Actual, Failure, Server
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.ids import new_token
from carrel.lifecycle import credentials, devices, drive
from carrel.lifecycle.breaker import Breaker, kind_of
from carrel.lifecycle.checkpoints import kept
from carrel.lifecycle.evidence import Course, NotReady, cut_off, explain
from carrel.lifecycle.lease import LeaseLost, Leases
from carrel.lifecycle.patience import Patience, allowed
from carrel.lifecycle.ports import hearing
from carrel.lifecycle.progress import relay, say, say_outcome
from carrel.lifecycle.queue import QueueWatch
from carrel.lifecycle.readiness import Probe, wait_until_ready
from carrel.lifecycle.routes import RouteKeeper
from carrel.lifecycle.server_scopes import Grants, asked_scopes, grants_of
from carrel.lifecycle.stop import DEADLINE, Stopper, ended
from carrel.lifecycle.undo import Undoer
from carrel.spawners.base import Spawner
from carrel.spawners.errors import StartError
from carrel.storage.base import StorageUnavailable, Transaction

#: How long a probe of a server may take, in seconds.
PROBE_LIMIT = 10.0
#: How long a server is given to answer before its address is written down first, in seconds.
_AT_ONCE = 1.0
_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class Starter:
    """Starts servers for one hub process."""

    ctx: HubContext
    routes: RouteKeeper
    probe: Probe
    leases: Leases
    stopper: Stopper
    breaker: Breaker
    give_up: Callable[[], None]
    """Called when more starts have failed in a row than the deployer allows."""
    step_aside: Callable[[int], None]
    """Called with a server's id when its start waits elsewhere: others need not wait for it."""
    undoer: Undoer

    async def start(self, server: Server) -> None:
        """Start a server whose row asks for it; the outcome is in the row.

        Raises LeaseLost when somebody else took over on the way.
        """
        begun = await self._begin(server)
        if begun is None:
            return
        row, driver, kind = begun
        self.ctx.live.keep(row, driver)
        say(self.ctx, row, 0, "Server requested")
        await self._carry_out(row, driver, kind, Patience(driver, self.ctx.clock, row))

    async def resume(self, row: Server, driver: Spawner) -> bool:
        """Go on with a start that was cut off, under our lease; the outcome is in the row.

        False when the driver cannot. Raises LeaseLost.
        """
        patience = Patience(driver, self.ctx.clock, row, resumed=True)
        return await self._carry_out(row, driver, kind_of(driver), patience, resumes=True)

    async def _carry_out(
        self, row: Server, driver: Spawner, kind: str, patience: Patience, *, resumes: bool = False
    ) -> bool:
        """Do all of a start that comes after the intent; False when there is nothing to resume."""

        async def save(_: Mapping[str, Any]) -> None:
            # A driver inside this one may have called it.
            await self.checkpoint(row, driver, driver.get_state(), deadline=patience.deadline)

        driver.state_saver = save
        course = Course()
        try:
            given = driver.api_token
            with hearing(self.ctx, row, driver):
                url = await self._run_driver(row, driver, course, patience, resumes=resumes)
            if url is None:
                return False
            row = replace(row, url=url)
            if driver.api_token != given:
                row = await self._adopt_token(row, driver)
            # When it answers already, one transaction says both where it is and that it runs.
            ready = await self.answers(row, _AT_ONCE) and await drive.is_reached(driver)
            if not ready:
                until = patience.deadline
                row = await self.checkpoint(row, driver, driver.get_state(), row.url, deadline=until)
            await self.finish(row, driver, ready=ready)
            self.breaker.succeeded(kind)
        except (asyncio.CancelledError, StorageUnavailable):
            # Whoever goes on has only the row: a driver that did not save its state itself had none there.
            with suppress(Exception):
                row = await self.checkpoint(row, driver, drive.state_of(driver, row.state))
            self.ctx.live.doubt(row)
            raise
        except LeaseLost:
            self.ctx.live.forget(row.id, row.generation)
            self.undoer.later(row, driver)
            raise
        except Exception as error:
            seen = self._evidence(row, error, course)
            await self.fail(row, driver, cut_off(seen) if resumes else seen, kind)
        return True

    async def finish(self, row: Server, driver: Spawner, *, ready: bool = False) -> None:
        """Wait until a started server answers (it does when it is `ready`), route it and call it running.

        Raises NotReady when it does not answer in time, LeaseLost when it is not ours to route.
        """
        say(self.ctx, row, 60, "Waiting for the server to answer")
        if not ready:
            await wait_until_ready(self.probe, driver, self._api_of(row), float(driver.http_timeout))
        now, state = self.ctx.clock.now(), driver.get_state()

        def run(current: Server) -> Server:
            return replace(
                current,
                actual=Actual.RUNNING,
                lease=None,
                deadline=None,
                failure=None,
                started=now,
                state=state,
                url=row.url,
            )

        async with self.routes.added(row, self.leases.check):
            running = await self.leases.write(row, run)
        self.ctx.live.keep(running, driver)
        self.ctx.activity.server(running.id, now)
        say_outcome(self.ctx, running)
        self.ctx.bus.publish(ServerActed("start", running.user_name, running.name))
        _log.info("%s is ready", server_path(self.ctx, running))

    async def fail(self, row: Server, driver: Spawner, seen: Evidence, kind: str = "") -> None:
        """Say in the row why a start failed, and clean up after it; one of a kind counts in the breaker."""
        until = self.ctx.clock.now() + DEADLINE
        # The log may take its time; until it is here the row says what is known without it.
        first = await explain(self.ctx, row, driver, seen, "")

        def end(current: Server) -> Server:
            state = drive.state_of(driver, current.state)
            return replace(current, actual=Actual.STOPPING, deadline=until, failure=first, state=state)

        try:
            row = await self.leases.write(row, end)
            self.ctx.live.keep(row, driver)
        except Exception:
            self.undoer.later(row, driver)
            raise
        await self.clear_away(row, driver, seen, kind)

    async def clear_away(self, row: Server, driver: Spawner, seen: Evidence, kind: str = "") -> None:
        """Remove what is left of a start whose row says that it failed, and why in the end."""
        # Before anything is removed: the log may be among it.
        failure = await explain(self.ctx, row, driver, seen, await drive.logs(driver))
        if kind:
            self._count(row, driver, kind, failure)
        say(self.ctx, row, 99, failure.message)
        _log.warning("%s did not start: %s", server_path(self.ctx, row), failure.message)
        failed = await self.stopper.finish(replace(row, failure=failure), driver, now=True)
        say_outcome(self.ctx, failed)

    async def refuse(self, server: Server, failure: Failure) -> None:
        """End a start that has not begun; nothing of it exists anywhere."""
        async with self.ctx.store.write() as tx:
            row = await tx.servers.save(ended(_answered(server), failure))
            if row is not None:
                announce_change(tx, row)
        if row is not None:
            say_outcome(self.ctx, row)
            _log.warning("%s was not started: %s", server_path(self.ctx, row), failure.message)

    async def checkpoint(
        self,
        row: Server,
        driver: Spawner,
        state: Mapping[str, Any],
        url: str = "",
        *,
        deadline: Timestamp | None = None,
    ) -> Server:
        """Keep what the driver needs to find its server again; raises LeaseLost.

        What is known stays known: a driver that was cut off may have forgotten it. Hooks and the driver
        itself may change the time-outs; then the `deadline` is another one too.
        """

        def keep(current: Server) -> Server:
            until = deadline or current.deadline
            known = dict(state) or current.state
            return replace(current, state=known, url=url or current.url, deadline=until)

        saved = await self.leases.write(row, keep)
        self.ctx.live.keep(saved, driver)
        return saved

    def _evidence(self, row: Server, error: Exception, course: Course) -> Evidence:
        if isinstance(error, NotReady):
            return error.evidence
        # A driver that says in a sentence what is wrong has foreseen it: the line about the failure has it.
        if not isinstance(error, StartError) or error.__cause__ is not None:
            _log.error("The start of %s failed", server_path(self.ctx, row), exc_info=error)
        return course.raised(error)

    def _count(self, row: Server, driver: Spawner, kind: str, failure: Failure) -> None:
        if self.breaker.failed(kind, row.user_id, failure):
            _log.error("Starts of this kind are refused for a while: %s", kind)
        if 0 < driver.consecutive_failure_limit <= self.breaker.in_a_row:
            _log.critical("%d starts have failed in a row: the hub stops", self.breaker.in_a_row)
            self.give_up()

    async def _begin(self, server: Server) -> tuple[Server, Spawner, str] | None:
        """Write the intent, or at once why nothing can be started; None when there is nothing to start."""
        refusal, row = None, None
        course = Course(Stage.OPTIONS, "profile")
        try:
            server, overrides = await with_choice(self.ctx, server)
            need = await devices.needed(self.ctx, server, overrides)
            course.enter(Stage.START, "start()")
            asked = await asked_scopes(self.ctx, server, overrides)
        except NotFound:
            return None
        except Exception as error:
            await self.refuse(server, diagnose(course.raised(error)))
            return None
        began = self.ctx.clock.monotonic()
        async with self.ctx.store.write(durable=True) as tx:
            try:
                owner = await owner_in(tx, server)
            except NotFound:
                return None
            bound = self.ctx.spawners.of(server.spawner).bound_to_node
            node = self.ctx.peers.node if bound else ""
            intent = replace(_answered(server), state={}, url="", failure=None, node=node)
            try:
                driver = build_driver(self.ctx, intent, owner, overrides)
                grants = await grants_of(self.ctx, tx, intent, driver, asked)
                kind = kind_of(driver)
                never = devices.refusal(self.ctx, need)
                refusal = never or self.breaker.refusal(kind, always=owner.user.admin)
            except StorageUnavailable:
                raise
            except Exception as error:
                _log.exception("No driver can be built for %s", server_path(self.ctx, server))
                refusal = diagnose(Course().raised(error))
            lent = None if refusal is not None else await devices.allot(self.ctx, tx, intent, need)
            if lent is not None:
                row = await self._write_intent(tx, owner.user, intent, driver, grants)
                if row is not None:
                    await devices.lend(self.ctx, tx, row, driver, lent)
                    announce_change(tx, row)
        if refusal is not None:
            await self.refuse(server, refusal)
        if row is None or not self.leases.hold(row, began):
            return None
        return row, driver, kind

    async def _write_intent(
        self, tx: Transaction, owner: User, intent: Server, driver: Spawner, grants: Grants
    ) -> Server | None:
        """Write the row of a start that begins, and the token and OAuth client that the server gets."""
        now = self.ctx.clock.now()
        taken = self.leases.take(intent, now + allowed(driver))
        row = await tx.servers.save(replace(taken, actual=Actual.STARTING))
        if row is None:
            return None
        driver.api_token = new_token()
        await credentials.give(self.ctx, tx, row, (owner, grants), driver)
        return row

    async def _run_driver(
        self, row: Server, driver: Spawner, course: Course, patience: Patience, *, resumes: bool
    ) -> str | None:
        """Let the driver start the server, or go on with it, and return where it is."""

        async def save() -> None:
            until = patience.deadline
            await self.leases.write(row, lambda current: replace(current, deadline=until))

        watch = QueueWatch(self.ctx, row, driver, patience, save, self.step_aside)
        late = partial(self.undoer.later, row, driver)
        async with kept(driver, self.ctx.clock, watch.look), relay(self.ctx, row, driver) as begun:
            if resumes:
                begun.set()
                url = await drive.resume(driver, course, patience, late=lambda _: late())
            else:
                hooks = self._hooks(driver)
                limit = float(driver.start_timeout)

                async def begin() -> None:
                    # More time to answer is written down with the address; more time to start has to be now.
                    if float(driver.start_timeout) > limit:
                        await save()
                    # The last moment before something of the server exists; the hooks may have taken long.
                    self.leases.check(row)
                    devices.require_lent(driver)
                    say(self.ctx, row, 20, "Starting the server")
                    begun.set()

                url = await drive.start(driver, hooks, begin, course, patience, late=lambda _: late())
        patience.leave_queue()
        return url

    def _hooks(self, driver: Spawner) -> Sequence[drive.Step]:
        before = self.ctx.authenticator.pre_spawn_start
        options = driver.run_apply_user_options
        return [
            drive.Step(Stage.HOOK, "pre_spawn_start", lambda: before(driver.user, driver)),
            drive.Step(Stage.HOOK, "auth_state_hook", lambda: drive.tell_auth_state(driver)),
            drive.Step(Stage.OPTIONS, "apply_user_options", lambda: options(driver.user_options)),
            drive.Step(Stage.HOOK, "pre_spawn_hook", driver.run_pre_spawn_hook),
        ]

    async def _adopt_token(self, row: Server, driver: Spawner) -> Server:
        """Let the token of what the driver resumed be the run's; raises StartError and LeaseLost."""
        state = dict(driver.get_state())
        saved = await self.leases.write(
            row,
            lambda current: replace(current, state=state, url=row.url),
            lambda tx: credentials.adopt(self.ctx, tx, row, driver),
        )
        self.ctx.live.keep(saved, driver)
        return saved

    async def answers(self, row: Server, seconds: float = PROBE_LIMIT) -> bool:
        """Tell whether a server answers at its address within so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                return await self.probe(self._api_of(row))
        except TimeoutError:
            return False

    def _api_of(self, row: Server) -> str:
        return f"{row.url}{server_path(self.ctx, row)}api"


def _answered(server: Server) -> Server:
    """Return `server` with its wish taken up: what comes of it now is the answer."""
    return replace(server, generation=server.wanted_generation)
