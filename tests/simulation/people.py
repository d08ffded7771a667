"""Those who ask for servers, and what of their wishes must still stand."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from carrel.core.context import HubContext
from carrel.core.routes import repair
from carrel.core.server_records import ServerChanges, change_server
from carrel.core.servers import ask_to_start, ask_to_stop, change, find_server, wait_until_settled
from carrel.core.users import create_users, delete_user
from carrel.domain.errors import Conflict, Invalid, NotFound
from carrel.domain.servers import Server
from carrel.domain.transitions import ask_stop
from carrel.domain.users import User
from carrel.proxy.base import ProxyError
from carrel.storage.base import StorageError
from carrel.testing.factories import a_caller
from tests.simulation.database import user_name
from tests.simulation.hubs import Host
from tests.simulation.world import EPOCH, World

Names = tuple[str, ...]
#: What a named server may be called: a user has one of them at a time, as the hub's limit says.
NAMES: Names = ("lab", "gpu")
#: Longer than any run: who waits so long waits for ever.
_FOR_EVER = 1e6
#: How soon people try again when a hub does not answer, in seconds.
_AGAIN = 0.7
_ADMIN = a_caller(User(id=999, name="admin", admin=True, created=EPOCH))


@dataclass(eq=False, slots=True)
class Wish:
    """Something that was asked of a hub, and what its answer says."""

    server: int
    op: str
    begun: float
    ended: float | None = None
    outcome: str = "unknown"
    """What the row wants since: `running`, `stopped`, `deleted`; `refused` left it as it was."""


class People:
    """All users. They ask through core's use cases, as faces do, and wait for what becomes of it."""

    def __init__(self, world: World, hosts: Sequence[Host]) -> None:
        self._world = world
        self._hosts = hosts
        self._profile = world.plan.profile
        self.wishes: list[Wish] = []
        self._at_the_door: set[tuple[int, str, int]] = set()
        self._waiting: list[tuple[asyncio.Task[None], Host, int, int]] = []

    def wish(self, host: Host, op: str, server: int) -> None:
        """Ask a hub for something, as soon as it is there."""
        if host.ctx is None or host.owner.paused_until > self._world.loop.time():
            self._at_the_door.add((host.number, op, server))
            self._world.loop.outside(_AGAIN, self.wish, host, op, server)
            return
        self._at_the_door.discard((host.number, op, server))
        wish = Wish(server, op, self._world.loop.time())
        self.wishes.append(wish)
        self._world.note(f"user{server}", f"asks {host.name} for {op}")
        task = self._world.loop.run_as(host.owner, self._ask(host.ctx, wish))
        task.set_name(f"user{server} at {host.name}")
        task.add_done_callback(partial(self._answered, wish), context=self._world.loop.outside_context)
        host.owner.at_death.append(partial(self._cut_off, wish))
        self._waiting.append((task, host, len(host.owners), server))

    def is_unanswered(self, server: int) -> bool:
        """Tell whether whoever asked last for a server got nothing but an error."""
        last = [wish for wish in self.wishes if wish.server == server][-1]
        return last.ended is not None and last.outcome == "unknown"

    def repair(self, host: Host) -> None:
        """Have a hub make the table of routes what it should be, if it is there."""
        if host.ctx is not None:
            self._world.loop.run_as(host.owner, _repair(host.ctx))

    def waiting(self) -> list[tuple[int, str]]:
        """Return who still waits at a hub that lives, or for one, and for which server."""
        return [(server, f"user{server} at hub{host}") for host, _, server in sorted(self._at_the_door)] + [
            (server, task.get_name())
            for task, host, incarnation, server in self._waiting
            if not task.done() and len(host.owners) == incarnation and not host.owner.dead
        ]

    def allowed(self, server: int) -> set[str]:
        """Return what a server's row may want: the last answered wish, or one that may have come later."""
        mine = [wish for wish in self.wishes if self._is_about(wish, server) and wish.outcome != "refused"]
        answered = [wish for wish in mine if wish.outcome != "unknown"]
        standing = [
            wish
            for wish in mine
            if not any(wish.ended is not None and later.begun > wish.ended for later in answered)
        ]
        possible = [_MEANS[wish.op] if wish.outcome == "unknown" else {wish.outcome} for wish in standing]
        if not answered:
            possible.append({"stopped", "deleted"})
        return set().union(*possible)

    def _is_about(self, wish: Wish, server: int) -> bool:
        """Tell whether a wish may change what a row wants: a user's removal is about all of theirs."""
        if wish.op == "remove":
            return self._profile.owner(wish.server) == self._profile.owner(server)
        return wish.server == server and wish.op != "rename"

    async def _ask(self, ctx: HubContext, wish: Wish) -> None:
        name = user_name(self._profile.owner(wish.server))
        try:
            row = await _ACTIONS[wish.op](ctx, name, NAMES if self._profile.has_name(wish.server) else ("",))
        except (Invalid, NotFound):
            # A removal that gives up has asked for the end of the server all the same.
            wish.outcome = "unknown" if wish.op == "remove" else "refused"
            return
        except Conflict:
            return
        wish.ended = self._world.loop.time()
        if row is None:
            wish.outcome = "deleted" if wish.op == "remove" else "refused"
            return
        wish.outcome = row.wanted.value
        await wait_until_settled(ctx, row, _FOR_EVER)

    def _answered(self, wish: Wish, task: asyncio.Task[None]) -> None:
        if wish.ended is None:
            wish.ended = self._world.loop.time()
        error = None if task.cancelled() else task.exception()
        self._world.note(
            f"user{wish.server}", f"{wish.op}: {wish.outcome} {type(error).__name__ if error else ''}"
        )

    def _cut_off(self, wish: Wish) -> None:
        if wish.ended is None:
            wish.ended = self._world.loop.time()


async def _repair(ctx: HubContext) -> None:
    with suppress(ProxyError, StorageError):
        await repair(ctx, _ADMIN)


async def _find(ctx: HubContext, user: str, names: Names) -> Server | None:
    """Return the one server of a user that has one of these names."""
    for name in names:
        found = await find_server(ctx, user, name)
        if found is not None:
            return found
    return None


async def _start(ctx: HubContext, user: str, names: Names) -> Server | None:
    async with ctx.store.read() as tx:
        known = await tx.users.get(user)
    if known is None:
        await create_users(ctx, _ADMIN, [user])
    found = await _find(ctx, user, names)
    return await ask_to_start(ctx, _ADMIN, user, names[0] if found is None else found.name)


async def _stop(ctx: HubContext, user: str, names: Names) -> Server | None:
    found = await _find(ctx, user, names)
    return await ask_to_stop(ctx, _ADMIN, user, names[0] if found is None else found.name)


async def _delete(ctx: HubContext, user: str, names: Names) -> Server | None:
    found = await _find(ctx, user, names)
    if found is not None and found.name:
        return await ask_to_stop(ctx, _ADMIN, user, found.name, remove=True)
    return (
        None if found is None else await change(ctx, found.id, partial(ask_stop, delete=True), durable=True)
    )


async def _remove(ctx: HubContext, user: str, _names: Names) -> Server | None:
    await delete_user(ctx, _ADMIN, user)
    return None


async def _rename(ctx: HubContext, user: str, names: Names) -> Server | None:
    found = await _find(ctx, user, names)
    if found is None:
        return None
    other = next(name for name in names if name != found.name)
    return await change_server(ctx, _ADMIN, user, found.name, ServerChanges(name=other))


_ACTIONS: dict[str, Callable[[HubContext, str, Names], Awaitable[Server | None]]] = {
    "start": _start,
    "stop": _stop,
    "delete": _delete,
    "remove": _remove,
    "rename": _rename,
}
_MEANS = {"start": {"running"}, "stop": {"stopped"}, "delete": {"deleted"}, "remove": {"stopped", "deleted"}}
