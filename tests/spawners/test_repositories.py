"""What the deployer says of repositories, the command line that comes of it, and following its steps."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from carrel.app.classes import find_classes
from carrel.config.schema import Settings
from carrel.domain.errors import CarrelError
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.logfiles import written
from carrel.spawners.repositories import follow, repositories_of
from carrel.spawners.run import make_spawner
from tests.http.hub import NowhereSpawner
from tests.spawners.rig import run_of

REPOSITORY = {"repo": "https://git.example/class/x", "ref": "main", "path": "a b.ipynb"}


def config(**settings: Any) -> Config:
    return Config({"Repositories": {"allowed": ["git.example/class"], "timeout": 100, **settings}})


def with_own(repo: str) -> Config:
    return Config({**config(), "Spawner": {"repository": {"repo": repo}}})


def local(options: dict[str, Any], given: Config | None = None) -> LocalProcessSpawner:
    return make_spawner(
        LocalProcessSpawner, run_of(user_options=options), config() if given is None else given
    )


async def test_a_chosen_repository_is_got_ready_before_the_command_and_has_its_time() -> None:
    driver = local({"repository": REPOSITORY}, config(packages=["ipykernel"], max_size="1M", submodules=True))
    before = driver.start_timeout
    await driver.run_apply_user_options(driver.user_options)
    assert driver.repository == REPOSITORY
    assert driver.start_timeout == before + 100
    words = driver.preparation()
    assert words[1:4] == ["-P", "-m", "carrel_client.repository"]
    assert words[4:] == [
        "--repo=https://git.example/class/x",
        "--ref=main",
        "--path=a b.ipynb",
        "--directory=repositories",
        "--seconds=100",
        f"--largest={2**20}",
        "--keep-days=30.0",
        "--package=ipykernel",
        "--submodules",
        "--",
    ]


async def test_without_one_there_is_nothing_before_the_command() -> None:
    # A deployer's form may have a field of this name: its values are lists.
    for options in ({}, {"repository": ["https://git.example/class/x"]}, {"repository": "x"}):
        driver = local(options)
        await driver.run_apply_user_options(options)
        assert driver.preparation() == []
        assert driver.start_timeout == 60


async def test_one_that_is_not_allowed_is_refused_whoever_has_named_it() -> None:
    for driver in (
        local({"repository": {"repo": "https://git.example/other"}}),
        local({"repository": REPOSITORY}, Config()),
        local({"repository": {"repo": "https://git.example/class/x", "depth": 1}}),
        local({}, with_own("https://evil.example/x")),
    ):
        with pytest.raises(CarrelError):
            await driver.run_apply_user_options(driver.user_options)
        assert driver.start_timeout == 60


async def test_the_deployers_own_repository_is_for_everybody() -> None:
    driver = local({}, with_own(REPOSITORY["repo"]))
    await driver.run_apply_user_options({})
    assert "--repo=https://git.example/class/x" in driver.preparation()


async def test_a_driver_that_cannot_says_so() -> None:
    driver = make_spawner(NowhereSpawner, run_of(user_options={"repository": REPOSITORY}), config())
    with pytest.raises(CarrelError, match="NowhereSpawner does not start servers from repositories"):
        await driver.run_apply_user_options(driver.user_options)


def resumed(log: Path) -> LocalProcessSpawner:
    """A driver with the checkpoint of a start that an end of its hub has cut off; its process is gone."""
    process = {"pid": 2**22, "start_time": "1", "ip": "127.0.0.1", "port": 1}
    state = process | {"log": str(log), "preparing": True}
    return make_spawner(LocalProcessSpawner, run_of(state=state), config())


async def test_a_start_that_was_cut_off_is_waited_for_again_and_its_steps_are_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("[repository 25%] Fetching\n[repository failed] no\n")
    driver = resumed(log)
    assert driver.start_timeout == 60 + 100
    assert driver.get_state()["preparing"]
    steps = driver.progress()
    told = asyncio.ensure_future(anext(steps))
    await asyncio.sleep(0)
    assert await driver.resume_start() == ("127.0.0.1", 1)
    assert await told == {"progress": 25, "message": "Fetching"}
    assert "preparing" not in driver.get_state()


async def test_one_whose_log_is_gone_has_more_time_to_answer(tmp_path: Path) -> None:
    driver = resumed(tmp_path / "log")
    assert (driver.start_timeout, driver.http_timeout) == (60, 30 + 100)
    assert await driver.resume_start() is None


@pytest.mark.parametrize(
    "allowed", [["git://x.example"], ["https://a:b@x.example"], [""], ["https://x.example/../y"]]
)
def test_prefixes_that_are_none_are_told_when_the_configuration_is_checked(allowed: list[str]) -> None:
    with pytest.raises(TraitError):
        repositories_of(config(allowed=allowed)).rules  # noqa: B018
    problems = find_classes(Settings(plugins=config(allowed=allowed)))[1]
    assert [(each.setting, each.fatal) for each in problems] == [("Repositories.allowed", True)]
    assert "the beginning of an address" in problems[0].message


def test_a_misspelt_rule_is_told() -> None:
    problems = find_classes(Settings(plugins=Config({"Repositories": {"alowed": ["x.example"]}})))[1]
    assert [(each.setting, each.fatal) for each in problems] == [("Repositories.alowed", True)]


async def test_steps_are_told_as_they_are_written_and_nothing_else_is(tmp_path: Path) -> None:
    log = tmp_path / "log"
    begun = "noise\n[repository 25%] Looking\n  [repository 99%] quoted\n[repository failed] before\n"
    log.write_text(f"{begun}[repository 35%] Fetch")
    told: asyncio.Queue[tuple[int, str]] = asyncio.Queue()

    async def lives() -> bool:
        return True

    waiting = asyncio.create_task(follow(written(log, lives), lambda *step: told.put_nowait(step)))
    assert await told.get() == (25, "Looking")
    with log.open("a") as file:
        file.write("ing\n[repository ready] /home/ada/x\n[repository 40%] forged\n")
    assert await told.get() == (35, "Fetching")
    await asyncio.wait_for(waiting, 10)
    assert told.empty()


async def test_a_flood_of_steps_ends_and_so_does_a_server_that_says_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    flood = "".join(f"[repository 50%] {number} {'x' * 1000}\n" for number in range(2000))
    log.write_text(flood + "y" * 200_000)
    told: list[str] = []

    async def lives() -> bool:
        return False

    await follow(written(log, lives), lambda _, message: told.append(message))
    assert len(told) == 150
    assert max(map(len, told)) == 400
