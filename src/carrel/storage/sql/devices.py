"""Devices: leases of runs, and the line of starts that wait for some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, delete, exists, select
from sqlalchemy.dialects.sqlite import insert

from carrel.domain.devices import DeviceLease, Devices, DeviceWait, Need
from carrel.storage.sql.columns import to_json
from carrel.storage.sql.engine import Link, OneOf, Value
from carrel.storage.sql.tables import START_DUE, UNDER_WAY, device_leases, device_waits, servers

_IS_VALID = (
    servers.c.id == device_leases.c.server_id,
    servers.c.generation == device_leases.c.generation,
    UNDER_WAY,
)
_LEASES = (
    select(
        device_leases.c.kind, device_leases.c.device, device_leases.c.server_id, device_leases.c.generation
    )
    .where(*_IS_VALID)
    .order_by(device_leases.c.kind, device_leases.c.device)
)
_OF_SERVERS = _LEASES.where(OneOf(device_leases.c.server_id, "server_ids"))
_DROP_STALE = delete(device_leases).where(~exists().where(*_IS_VALID))
_LEASE = (
    insert(device_leases)
    .values({column: bindparam(column.name) for column in device_leases.c})
    .on_conflict_do_nothing(index_elements=["kind", "device"])
)
_GIVE_BACK = delete(device_leases).where(
    device_leases.c.server_id == bindparam("key"), device_leases.c.generation == bindparam("run")
)
_WAITS = (
    select(device_waits.c.server_id, servers.c.wished, device_waits.c.kind, device_waits.c.amount)
    .join(servers, servers.c.id == device_waits.c.server_id)
    .where(servers.c.wanted_generation == device_waits.c.generation, START_DUE)
    .order_by(servers.c.wished, servers.c.id, device_waits.c.kind)
)
_LEAVE = delete(device_waits).where(device_waits.c.server_id == bindparam("key"))
_WAIT = (
    insert(device_waits)
    .values({column: bindparam(column.name) for column in device_waits.c})
    .on_conflict_do_nothing(index_elements=["server_id", "kind"])
)


class SqlDevices:
    """See `carrel.storage.devices`."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def leases(self) -> Sequence[DeviceLease]:
        return [DeviceLease(*row) for row in await self._link.rows(_LEASES, {})]

    async def of_servers(self, server_ids: Sequence[int]) -> Mapping[int, Devices]:
        found: dict[int, dict[str, list[str]]] = {}
        for kind, device, server_id, _ in await self._link.rows(
            _OF_SERVERS, {"server_ids": to_json(sorted(server_ids))}
        ):
            found.setdefault(server_id, {}).setdefault(kind, []).append(device)
        return found

    async def lease(self, server_id: int, generation: int, devices: Devices) -> bool:
        await self._link.change(_DROP_STALE, {})
        # In one order everywhere, so that two who want the same never wait for each other.
        for kind, device in sorted((kind, device) for kind, names in devices.items() for device in names):
            given: dict[str, Value] = {
                "kind": kind,
                "device": device,
                "server_id": server_id,
                "generation": generation,
            }
            if not await self._link.change(_LEASE, given):
                await self._link.change(_GIVE_BACK, {"key": server_id, "run": generation})
                return False
        return True

    async def waits(self) -> Sequence[DeviceWait]:
        found: dict[int, tuple[float, dict[str, int]]] = {}
        for server_id, wished, kind, amount in await self._link.rows(_WAITS, {}):
            found.setdefault(server_id, (wished, {}))[1][kind] = amount
        return [DeviceWait(server_id, wished, need) for server_id, (wished, need) in found.items()]

    async def wait(self, server_id: int, generation: int, need: Need) -> None:
        await self._link.change(_LEAVE, {"key": server_id})
        for kind, amount in sorted(need.items()):
            place: dict[str, Value] = {"server_id": server_id, "kind": kind, "generation": generation}
            place["amount"] = amount
            await self._link.change(_WAIT, place)
