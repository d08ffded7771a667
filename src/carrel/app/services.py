"""The services of the configuration, for as long as the hub runs."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from carrel.config.services import read_services
from carrel.core.context import HubContext
from carrel.lifecycle.managed_services import ManagedServices
from carrel.lifecycle.service_checks import ServiceChecks


class OwnServices:
    """What runs the managed ones, and what looks whether all answer."""

    def __init__(self, ctx: HubContext) -> None:
        self._ctx = ctx
        self._managed = ManagedServices(ctx, read_services(ctx.settings)[0].services)
        self._checks = ServiceChecks(ctx)

    def work(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return what is to be done for as long as this hub runs."""
        self._ctx.bus.listen(self._managed.heed)
        self._ctx.bus.listen(self._checks.heed)
        return {"managed services": self._managed.run(), "service checks": self._checks.run()}

    async def stop(self) -> None:
        """End what this hub runs; never fails."""
        await self._managed.stop()
