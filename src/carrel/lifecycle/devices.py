"""Devices of starts: what one needs, whether it is its turn for them, and handing them to its driver."""

from __future__ import annotations

from collections.abc import Sequence

from carrel.core.context import HubContext
from carrel.core.runs import build_driver, load_owner
from carrel.domain.causes.rule import End, Stage
from carrel.domain.devices import Devices, DeviceWait, Need, need_of, pools_of, serve, why_never
from carrel.domain.failures import Evidence, diagnose
from carrel.domain.profile_options import Overrides
from carrel.domain.servers import Failure, Server
from carrel.lib.awaiting import resolve_within
from carrel.spawners.base import Spawner
from carrel.spawners.errors import StartError
from carrel.storage.base import StorageContended, Transaction

#: How long the deployer's functions for options may take, in seconds.
_CALL_LIMIT = 30.0


async def needed(ctx: HubContext, server: Server, overrides: Sequence[Overrides]) -> Need:
    """Return the devices that a start asks for, by the settings of its driver once options are applied.

    They are applied to a driver for the purpose: that of the start has to know its devices before. Raises
    what the deployer's functions raise, and ValueError. Empty on a hub without devices.
    """
    if not ctx.settings.device_pools:
        return {}
    driver = build_driver(ctx, server, await load_owner(ctx, server), overrides)
    await resolve_within(driver.run_apply_user_options(driver.user_options), _CALL_LIMIT)
    return need_of(driver.devices)


def refusal(ctx: HubContext, need: Need) -> Failure | None:
    """Return why a start with this need can never begin, None when it can."""
    reason = why_never(pools_of(ctx.settings.device_pools), need)
    if not reason:
        return None
    facts = {"refusal": "devices", "reason": reason}
    return diagnose(Evidence(stage=Stage.WAITING, end=End.REFUSED, facts=facts))


async def allot(ctx: HubContext, tx: Transaction, intent: Server, need: Need) -> Devices | None:
    """Return the devices that a start gets, None when it is not its turn: then it stands in the line.

    `intent` is the row of a start that begins. They are its own once `lend` has said so in the same
    transaction.
    """
    if not need:
        return {}
    mine = DeviceWait(intent.id, intent.wished, need)
    others = [wait for wait in await tx.devices.waits() if wait.server_id != intent.id]
    served = serve(pools_of(ctx.settings.device_pools), await tx.devices.leases(), [*others, mine])
    if intent.id not in served:
        await tx.devices.wait(intent.id, intent.generation, need)
        return None
    return served[intent.id]


async def lend(ctx: HubContext, tx: Transaction, row: Server, driver: Spawner, devices: Devices) -> None:
    """Write down the devices of a run that begins, and tell its driver of them.

    Raises StorageContended when another hub was first: nothing of the transaction may stay then.
    """
    if devices and not await tx.devices.lease(row.id, row.generation, devices):
        raise StorageContended("The devices went to a server of another hub.")
    driver.lent_devices = {kind: list(names) for kind, names in devices.items()}
    driver.device_variables = dict(ctx.settings.device_environment)


def require_lent(driver: Spawner) -> None:
    """Return when a driver that is about to start its server has what it asks for, else raise StartError.

    Hooks run after the devices were given, for they may do anything; who changes the need there is told.
    """
    wanted = need_of(driver.devices)
    if wanted == {kind: len(names) for kind, names in driver.lent_devices.items()}:
        return
    if not driver.lent_devices:
        kinds = ", ".join(sorted(wanted))
        raise StartError(
            f"The server asks for devices ({kinds}) that nobody has given it.",
            hint="The administrator has to name them in c.Carrel.device_pools; hooks cannot ask for more.",
        )
    raise StartError(
        "What the server asks for (Spawner.devices) was changed after the devices were given to it.",
        hint="Set it by c.Spawner.devices, a profile, group_overrides or apply_user_options, not by a hook.",
    )


async def whose_turn(ctx: HubContext, tx: Transaction) -> list[Server]:
    """Return the starts that wait for devices and can have them now, the longest waiting first."""
    waits = await tx.devices.waits()
    if not waits:
        return []
    served = serve(pools_of(ctx.settings.device_pools), await tx.devices.leases(), waits)
    rows = [await tx.servers.get_by_id(server_id) for server_id in served]
    return [row for row in rows if row is not None]
