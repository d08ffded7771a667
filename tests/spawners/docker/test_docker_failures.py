"""What goes wrong with containers is told in plain words: real failures of a real engine, diagnosed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence, diagnose
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.shared import Shared
from tests.rigs.docker_engine import Engine
from tests.rigs.systems import free_port
from tests.spawners.docker.rig import configuration, shared, spawner_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120), pytest.mark.usefixtures("clean")]
REPOSITORY = {"repo": "https://git.example/x"}


@pytest.fixture
async def held() -> AsyncIterator[Shared]:
    async with shared() as held:
        yield held


async def failure_of(driver: DockerSpawner) -> tuple[str, str]:
    """Return the code and the words of what becomes of a start, as the hub gathers and diagnoses it."""
    try:
        await driver.start()
    except Exception as error:
        seen = Evidence(
            stage=Stage.START,
            end=End.RAISED,
            error=type(error).__name__,
            text=str(error),
            hint=getattr(error, "hint", ""),
            log=await driver.logs(50),
        )
    else:
        assert await driver.wait_for_death(30)
        log = await driver.logs(50)
        seen = Evidence(stage=Stage.READY, end=End.ENDED, status=await driver.poll_now(), log=log)
    told = diagnose(seen)
    return told.code, f"{told.message} {told.hint}"


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ({"image": "absent.invalid/none:1"}, "registry-unreachable", "registry"),
        ({"image": "none/absent:1", "pull_policy": "never"}, "image-missing", "none/absent:1"),
        ({"image": "Not An Image"}, "start-error", "image: 'Not An Image'"),
        ({"cmd": ["no-such-program"]}, "container-command", "no-such-program"),
        ({"repository": REPOSITORY}, "repository-program-missing", "The image has no program"),
        (
            {"repository": REPOSITORY, "extra_host_config": {}},
            "repository-program-missing",
            "The image has no program",
        ),
        (
            {"repository": REPOSITORY, "cmd": None, "extra_create_kwargs": {"entrypoint": ["sh"]}},
            "start-error",
            "c.DockerSpawner.cmd",
        ),
        ({"network_name": "nowhere"}, "network-missing", "nowhere"),
        ({"extra_host_config": {"shm": 1}}, "start-error", "c.DockerSpawner.extra_host_config has no 'shm'"),
        ({"extra_host_config": {"shm_size": "lots"}}, "start-error", "extra_host_config['shm_size']"),
        ({"cmd": ["sh", "-c", "exit 127"]}, "command-missing", "status 127"),
        ({"cmd": ["sh", "-c", "exit 126"]}, "not-executable", "status 126"),
        ({"cmd": ["sh", "-c", "kill -9 $$"]}, "killed", "SIGKILL"),
        (
            {"mem_limit": "32M", "swap_limit": 0, "cmd": ["python", "-S", "-c", "x = bytearray(10**9)"]},
            "out-of-memory",
            "ran out of memory",
        ),
        (
            {"mounts": [{"type": "bind", "source": "/no/where", "target": "/x"}]},
            "volume-missing",
            "/no/where",
        ),
        ({"client_kwargs": {"base_url": "unix:///nowhere.sock"}}, "docker-unreachable", "group docker"),
    ],
)
async def test_it_is_told(
    engine: Engine, held: Shared, settings: dict[str, Any], code: str, words: str
) -> None:
    config = configuration(engine, **settings)
    config.Repositories.allowed = ["git.example"]
    driver = spawner_of(DockerSpawner, config, held)
    try:
        told = await failure_of(driver)
        assert words in told[1]
        assert told[0] == code
    finally:
        if "client_kwargs" not in settings:
            await driver.stop(now=True)


async def test_a_port_that_is_taken(engine: Engine, held: Shared) -> None:
    bindings = {"PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(free_port())}]}}
    first, second = (
        spawner_of(DockerSpawner, configuration(engine, extra_host_config=bindings), held, name)
        for name in ("alice", "bob")
    )
    await first.start()
    code, words = await failure_of(second)
    assert code == "port-taken"
    assert "port" in words
    await second.stop(now=True)
    assert engine.containers() == ["jupyter-alice"]
