"""Drivers of batch systems over the stub server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from traitlets.config import Config

from carrel.spawners.base import Spawner
from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.run import make_spawner
from carrel.spawners.views import HubView
from carrel.testing.conformance.spawner import LAST_WORDS, Case, SpawnerConformance
from tests.rigs.systems import free_port
from tests.spawners.rig import STUB, run_of, usable_python

B = TypeVar("B", bound=BatchSpawnerBase)


class BatchConformance(SpawnerConformance):
    """The rules for spawners; what dies does so when its start was seen, however slow the machine is."""

    die: Path

    @asynccontextmanager
    async def started(self, case: Case = Case.HEALTHY) -> AsyncIterator[Spawner]:
        async with super().started(case) as driver:
            if case is Case.DYING:
                self.die.touch()
            yield driver


def make_driver(
    cls: type[B],
    account: str,
    hub: HubView,
    case: Case = Case.HEALTHY,
    state: Mapping[str, Any] | None = None,
    die: Path | None = None,
    **settings: Any,
) -> B:
    """Return a driver of a run that listens at a port which is known, since there is no hub to tell it to."""
    config = Config()
    config.Spawner.cmd = [usable_python(), "-S", str(STUB), "serve"]
    if case is Case.DYING:
        dying = f"until [ -e {die} ]; do sleep 0.05; done; echo '{LAST_WORDS}'; exit 3"
        config.Spawner.cmd = ["/bin/sh", "-c", f'"{dying}"']
    config.Spawner.port = free_port()
    config.BatchSpawnerBase.startup_poll_interval = 0.05
    config.BatchSpawnerBase.query_interval = 0.1
    for name, value in settings.items():
        config[cls.__name__][name] = value
    return make_spawner(cls, run_of(account, state=state or {}, hub=hub), config)
