"""What the hub asks of its database about devices; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from carrel.domain.devices import DeviceLease, Devices, DeviceWait, Need


class DeviceRecords(Protocol):
    """Who has which device, and who waits for some.

    What is written here counts only while the server's row is in that run, or waits for that start.
    """

    async def leases(self) -> Sequence[DeviceLease]:
        """Return the devices that runs have."""

    async def of_servers(self, server_ids: Sequence[int]) -> Mapping[int, Devices]:
        """Return the devices that the present runs of servers have, of those that have any."""

    async def lease(self, server_id: int, generation: int, devices: Devices) -> bool:
        """Give a run devices, all or none; False when another run has one of them.

        Belongs in the transaction that writes the run's intent into the row.
        """

    async def waits(self) -> Sequence[DeviceWait]:
        """Return the starts that wait for devices, the longest waiting first."""

    async def wait(self, server_id: int, generation: int, need: Need) -> None:
        """Put a start into the line for devices, or change what it needs."""
