"""What the hub does about processes that no row claims, until its own life cycle does."""

from __future__ import annotations

import asyncio

from carrel.core.context import HubContext
from carrel.core.drivers import build_driver
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.lifecycle import drive
from carrel.spawners.base import Spawner
from carrel.spawners.reports import Orphan

INTERVAL = 10.0
#: How long a process may be without a row before it is ended, in seconds.
GRACE = 12.0


async def sweep_orphans(ctx: HubContext) -> None:
    """End what no row claims, again and again until cancelled."""
    since: dict[tuple[int, int, str], float] = {}
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            seen = {
                (each.server_id, each.generation, str(each.state)): each for each in await _unclaimed(ctx)
            }
            now = ctx.clock.monotonic()
            since = {key: since.get(key, now) for key in seen}
            for key, orphan in seen.items():
                if now - since[key] >= GRACE:
                    await drive.stop(_driver(ctx, orphan), now=True, limit=drive.CALL_LIMIT)
        except Exception:
            continue


async def _unclaimed(ctx: HubContext) -> list[Orphan]:
    driver = _driver(ctx, Orphan(0, 0, {}))
    async with asyncio.timeout(drive.CALL_LIMIT):
        found = await driver.find_orphans(())
    async with ctx.store.read() as tx:
        rows = {each.server_id: await tx.servers.get_by_id(each.server_id) for each in found}
    return [each for each in found if not _claims(rows[each.server_id], each)]


def _claims(row: Server | None, orphan: Orphan) -> bool:
    if row is None or row.generation != orphan.generation or not row.active:
        return False
    return not row.state or row.state == orphan.state


def _driver(ctx: HubContext, orphan: Orphan) -> Spawner:
    user = User(id=0, name="nobody", admin=False, created=0.0)
    row = Server(
        id=orphan.server_id,
        user_id=0,
        user_name=user.name,
        name="",
        created=0.0,
        generation=orphan.generation,
        state=orphan.state,
    )
    return build_driver(ctx, row, user)
