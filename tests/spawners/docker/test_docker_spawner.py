"""What DockerSpawner adds to the rules for all drivers, on a real engine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from carrel.spawners.docker.engine import EngineAway
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.docker.system_user import SystemUserSpawner
from carrel.spawners.errors import StartError
from carrel.spawners.reports import Orphan
from carrel.spawners.shared import Shared
from tests.rigs.accounts import temporary_account
from tests.rigs.docker_engine import IMAGE, OTHER_IMAGE, Engine
from tests.rigs.poll import until
from tests.spawners.docker.rig import configuration, marks_of, shared, spawner_of
from tests.spawners.rig import hub_view, report_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(120), pytest.mark.usefixtures("clean")]
NAME = "jupyter-alice"
RUN = (7, 2)


@pytest.fixture
async def held() -> AsyncIterator[Shared]:
    async with shared() as held:
        yield held


def driver_with(engine: Engine, held: Shared, changes: dict[str, Any] | None = None, **settings: Any) -> Any:
    return spawner_of(DockerSpawner, configuration(engine, **settings), held, **(changes or {}))


def stands_still(pid: int) -> bool:
    """Tell whether all threads of a process are stopped."""
    stats = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


async def test_a_container_is_what_the_settings_say(engine: Engine, held: Shared, tmp_path: Path) -> None:
    driver = driver_with(
        engine,
        held,
        prefix="lab",
        mem_limit="64M",
        swap_limit=0,
        cpu_limit=lambda spawner: 0.5 if spawner.user.name == "alice" else 4,
        pids_limit=50,
        volumes={
            f"{tmp_path}/{{username}}": {"bind": "/home/jovyan/work", "mode": "ro"},
            "box-{username}": "/box",
        },
        environment={"COURSE": "algebra"},
        extra_create_kwargs=lambda spawner: {"hostname": "desk", "labels": {"course": "algebra"}},
        extra_host_config={"init": True, "ulimits": [{"name": "nofile", "soft": 512, "hard": 512}]},
        post_start_cmd="sh -c 'echo done >/tmp/made'",
    )
    await driver.start()
    seen, host = engine.inspect("lab-alice"), engine.inspect("lab-alice")["HostConfig"]
    assert (host["Memory"], host["CpuQuota"], host["PidsLimit"]) == (64 * 2**20, 50_000, 50)
    assert set(host["Binds"]) >= {f"{tmp_path}/alice:/home/jovyan/work:ro", "box-alice:/box:rw"}
    assert host["Ulimits"][0]["Soft"] == 512
    assert seen["Config"]["Hostname"] == "desk"
    marks = marks_of(engine, "lab-alice")
    assert (marks["carrel.server-id"], marks["carrel.generation"]) == ("7", "2")
    assert (marks["carrel.hub-id"], marks["carrel.user"]) == (hub_view().hub_id, "alice")
    assert marks["course"] == "algebra"
    report = await report_of(driver)
    assert report["env"]["COURSE"] == "algebra"
    assert report["env"]["JUPYTERHUB_SERVICE_URL"] == "http://0.0.0.0:8888/user/alice/"
    assert engine.run("exec", "lab-alice", "cat", "/tmp/made") == "done"
    used = await driver.usage()
    assert 2**20 < used.memory < 64 * 2**20
    assert used.cpu > 0
    assert (used.memory_limit, used.process_limit) == (64 * 2**20, 50)
    assert 1 <= used.processes <= 10


async def test_a_kept_container_is_started_again_with_its_token(engine: Engine, held: Shared) -> None:
    first = driver_with(engine, held, changes={"api_token": "the-first-token"})
    await first.start()
    engine.run("exec", NAME, "sh", "-c", "echo mine >/tmp/kept")
    await first.stop()
    again = driver_with(engine, held, changes={"generation": 3, "api_token": "the-second-token"})
    await again.start()
    assert again.object_id == first.object_id
    assert again.api_token == "the-first-token"
    assert engine.run("exec", NAME, "cat", "/tmp/kept") == "mine"
    # The run that has it now is tracked, under another generation than the container's own.
    assert await again.find_orphans([(7, 3)]) == []
    # A hub that is killed now leaves a start to the next one, which does not know the token.
    heir = driver_with(engine, held, changes={"generation": 3, "state": again.get_state(), "api_token": ""})
    assert await heir.resume_start() == (again.server.ip, again.server.port)
    assert heir.api_token == "the-first-token"


async def test_one_that_never_ran_is_made_anew(engine: Engine, held: Shared) -> None:
    """A container with a command that its image has not would fail for ever, whatever is corrected."""
    broken = driver_with(engine, held, cmd=["no-such-program"], extra_host_config={})
    with pytest.raises(Exception, match="no-such-program"):
        await broken.start()
    mended = driver_with(engine, held)
    await mended.start()
    assert await mended.poll() is None


async def test_another_image_leaves_the_old_container_aside(engine: Engine, held: Shared) -> None:
    first = driver_with(engine, held)
    await first.start()
    await first.stop()
    second = driver_with(engine, held, image=OTHER_IMAGE)
    await second.start()
    aside = f"{NAME}-before-{first.object_id[:12]}"
    assert engine.containers() == [NAME, aside]
    assert engine.inspect(NAME)["Config"]["Image"] == OTHER_IMAGE
    await second.stop()
    await second.delete_forever()
    assert engine.containers() == []


async def test_a_strangers_container_is_left_alone(engine: Engine, held: Shared) -> None:
    engine.run("run", "--detach", "--init", "--name", NAME, IMAGE, "sleep", "600")
    with pytest.raises(StartError, match=f"{NAME} that is not this server's"):
        await driver_with(engine, held).start()
    other = driver_with(engine, held, changes={"server_id": 8})
    engine.run("rm", "--force", NAME)
    await driver_with(engine, held).start()
    with pytest.raises(StartError, match="not this server's"):
        await other.start()
    assert await driver_with(engine, held).find_orphans([]) != []


async def test_one_that_dockerspawner_made_is_adopted(engine: Engine, held: Shared) -> None:
    variables = ("--env", "JUPYTERHUB_USER=alice", "--env", "JUPYTERHUB_API_TOKEN=an-old-token")
    engine.run("run", "--detach", "--init", "--name", NAME, *variables, IMAGE, "sleep", "600")
    engine.run("stop", "--time", "1", NAME)
    driver = driver_with(engine, held, use_internal_ip=True)
    await driver.start()
    assert driver.api_token == "an-old-token"
    # What its state has by its old driver is enough, too.
    state = {"object_id": driver.object_id, "object_name": NAME}
    assert await driver_with(engine, held, changes={"state": state}).poll() is None


async def test_what_runs_without_a_row_is_found(engine: Engine, held: Shared) -> None:
    driver = driver_with(engine, held, remove=True)
    await driver.start()
    seeker = driver_with(engine, held, changes={"server_id": 0, "generation": 0, "name": ""})
    (orphan,) = await seeker.find_orphans([(7, 1), (8, 2)])
    assert (orphan.server_id, orphan.generation, orphan.user_name) == (*RUN, "alice")
    assert await seeker.find_orphans([RUN]) == []
    finder = driver_with(engine, held)
    assert await finder.recognize(orphan)
    assert finder.get_state() == driver.get_state()
    stranger = driver_with(engine, held, changes={"generation": 3})
    assert not await stranger.recognize(orphan)
    assert not await finder.recognize(Orphan(*RUN, {"object_id": "f" * 64}))
    await finder.stop(now=True)
    assert engine.containers() == []


async def test_a_start_that_was_cut_off_goes_on(engine: Engine, held: Shared) -> None:
    """Between the container's creation and its start there is a checkpoint, and it is enough."""
    cut = driver_with(engine, held)

    async def die(state: object) -> None:
        raise ConnectionError("the hub is gone")

    cut.state_saver = die
    with pytest.raises(ConnectionError):
        await cut.start()
    assert engine.inspect(NAME)["State"]["Status"] == "created"
    heir = driver_with(engine, held, changes={"state": cut.get_state()})
    assert await heir.poll() == 0
    assert await heir.resume_start() == (heir.server.ip, heir.server.port)
    # Its own token is the one that the hub knows.
    assert heir.api_token == "a-token"
    assert await heir.poll() is None
    await heir.stop(now=True)
    assert await heir.resume_start() is None
    # Where nobody goes on with it, a container that never ran is removed, also without `remove`.
    await driver_with(engine, held, changes={"server_id": 9, "name": "b"}).stop()


async def test_an_engine_that_is_away_says_nothing_of_its_containers(engine: Engine, held: Shared) -> None:
    driver = driver_with(engine, held)
    await driver.start()
    impatient = driver_with(
        engine,
        held,
        changes={"state": driver.get_state()},
        client_kwargs={"base_url": engine.socket, "timeout": 1},
    )
    pid = int(Path(engine.socket.removeprefix("unix://")).with_name("pid").read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        # Its threads stop one by one.
        until(lambda: stands_still(pid), "the engine to stand still")
        with pytest.raises(EngineAway, match="no answer within 1 s"):
            await impatient.poll()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await driver.poll() is None
    nobody = driver_with(engine, held, client_kwargs={"base_url": "unix:///nowhere.sock"})
    nobody.object_id = driver.object_id
    with pytest.raises(EngineAway, match=r"nowhere\.sock: No such file"):
        await nobody.poll()


async def test_a_container_that_ended_by_itself_goes_with_its_run(engine: Engine, held: Shared) -> None:
    driver = driver_with(engine, held, remove=True)
    await driver.start()
    engine.run("kill", NAME)
    assert await driver.poll() == 137
    assert engine.containers() == [NAME]
    await driver.run_post_stop_hook()
    assert engine.containers() == []


async def test_an_internal_address_follows_the_container(engine: Engine, held: Shared) -> None:
    driver = driver_with(engine, held, use_internal_ip=True)
    ip, port = await driver.start()
    assert (ip, port) == (engine.inspect(NAME)["NetworkSettings"]["IPAddress"], 8888)
    assert (await report_of(driver))["env"]["JUPYTERHUB_USER"] == "alice"
    # After a restart of the hub nobody knows that a hook had set it.
    heir = driver_with(engine, held, changes={"state": driver.get_state()})
    assert await heir.poll() is None
    assert heir.server.ip == ip


async def test_in_the_machines_own_network_a_free_port_is_chosen(engine: Engine, held: Shared) -> None:
    settings: dict[str, Any] = {"network_name": "host", "port": 0}
    driver = driver_with(engine, held, **settings)
    ip, port = await driver.start()
    assert ip == "127.0.0.1"
    assert port not in (0, 8888)
    assert (await report_of(driver))["env"]["JUPYTERHUB_SERVICE_URL"].endswith(f":{port}/user/alice/")
    # Whoever takes over is told by the container where it listens.
    (orphan,) = await driver.find_orphans([])
    heir = driver_with(engine, held, **settings)
    assert await heir.recognize(orphan)
    assert (heir.server.ip, heir.server.port) == (ip, port)


async def test_the_owners_rights_and_home(engine: Engine, held: Shared) -> None:
    with temporary_account() as account:
        config = configuration(engine)
        driver = spawner_of(SystemUserSpawner, config, held, account.name)
        await driver.start()
        report = await report_of(driver)
        home = Path("/home", account.name)
        assert (report["uid"], report["gid"]) == (home.stat().st_uid, home.stat().st_gid)
        assert (report["cwd"], report["env"]["HOME"], report["env"]["NB_USER"]) == (
            str(home),
            str(home),
            account.name,
        )
        container = driver.object_name
        engine.run("exec", container, "sh", "-c", "echo within >~/made.txt")
        assert (home / "made.txt").owner() == account.name
    stranger = spawner_of(SystemUserSpawner, configuration(engine), held, "nobody-of-that-name")
    with pytest.raises(StartError, match="no account called nobody-of-that-name"):
        await stranger.start()


#: Stands in for what gets a repository ready, until somebody says so.
PREPARE = """
while [ "$1" != -- ]; do shift; done; shift
echo "[repository 50%] Building"
while [ ! -e /tmp/go ]; do sleep 0.05; done
echo "[repository ready] /tmp"
exec "$@"
"""


def preparing(engine: Engine, held: Shared, changes: dict[str, Any] | None = None, **settings: Any) -> Any:
    config = configuration(engine, repository={"repo": "https://git.example/x"}, **settings)
    config.Repositories.update(allowed=["git.example"], command=["sh", "-c", PREPARE], timeout=50)
    return spawner_of(DockerSpawner, config, held, **(changes or {}))


async def told(driver: Any, message: str) -> int:
    """Return how far a start is when it says so."""
    async for event in driver.progress():
        if event["message"] == message:
            return int(event["progress"])
    raise AssertionError(f"nobody said {message}")


async def test_a_hub_that_dies_while_a_repository_is_got_ready_has_an_heir(
    engine: Engine, held: Shared
) -> None:
    cut = preparing(engine, held)
    start = asyncio.create_task(cut.start())
    assert await told(cut, "Building") == 79
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    state = cut.get_state()
    heir = preparing(engine, held, changes={"state": state})
    going_on = asyncio.create_task(heir.resume_start())
    # What was said before is told again, and the end is still to come.
    await told(heir, "Building")
    assert not going_on.done()
    engine.run("exec", NAME, "touch", "/tmp/go")
    assert await going_on == (heir.server.ip, heir.server.port)
    assert "preparing" not in heir.get_state()
    assert (await report_of(heir))["argv"] == ["serve"]
    # One that ended meanwhile is looked at, so that its log can say why.
    engine.run("kill", NAME)
    late = preparing(engine, held, changes={"state": state})
    assert await late.resume_start() is not None
    assert await late.poll() == 137


async def test_without_a_log_there_is_patience(engine: Engine, held: Shared) -> None:
    driver = preparing(engine, held, extra_host_config={"init": True, "log_config": {"type": "none"}})
    before = driver.http_timeout
    await driver.start()
    assert driver.http_timeout == before + 50
    engine.run("exec", NAME, "touch", "/tmp/go")
    assert (await report_of(driver))["argv"] == ["serve"]
