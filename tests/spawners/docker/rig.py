"""Drivers of containers that run a stub server, on the tests' own engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from traitlets.config import Config

from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.run import make_spawner
from carrel.spawners.shared import Shared
from tests.rigs.docker_engine import IMAGE, Engine
from tests.spawners.rig import run_of

S = TypeVar("S", bound=DockerSpawner)
_STUBS = Path(__file__).parent.parent
#: What a container is given to do.
SERVE = ["python", "-S", "/stub/stub_server.py"]


def configuration(engine: Engine, mode: str = "serve", **settings: Any) -> Config:
    """Return settings of DockerSpawner for a container that runs the stub."""
    config = Config()
    config.DockerSpawner.image = IMAGE
    config.DockerSpawner.cmd = [*SERVE, mode]
    config.DockerSpawner.read_only_volumes = {str(_STUBS): "/stub"}
    config.DockerSpawner.client_kwargs = {"base_url": engine.socket}
    # The engine's own init ends the stub at once.
    config.DockerSpawner.extra_host_config = {"init": True}
    config.DockerSpawner.stop_timeout = 1
    for name, value in settings.items():
        config.DockerSpawner[name] = value
    return config


def spawner_of(cls: type[S], config: Config, shared: Shared, name: str = "alice", **changes: Any) -> S:
    """Return a driver of a run of server 7, generation 2."""
    return make_spawner(cls, run_of(name, shared=shared, **changes), config)


@asynccontextmanager
async def shared() -> AsyncIterator[Shared]:
    """Yield what drivers of one hub have in common."""
    held = Shared()
    try:
        yield held
    finally:
        await held.close()
        # aiohttp's transports end in the loop's next turn.
        await asyncio.sleep(0)


def marks_of(engine: Engine, name: str) -> Mapping[str, str]:
    """Return a container's labels."""
    return dict(engine.inspect(name)["Config"]["Labels"])
