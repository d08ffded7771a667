from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from traitlets import TraitError
from traitlets.config import Config

from carrel.domain.errors import Invalid
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.docker.swarm import SwarmSpawner
from carrel.spawners.errors import StartError
from carrel.spawners.run import make_spawner
from tests.spawners.rig import hub_view, run_of

LISTED = {"Small": "lab:1", "Big": "lab:2"}


def driver_with(cls: Any = DockerSpawner, run: dict[str, Any] | None = None, **settings: Any) -> Any:
    config = Config()
    for name, value in settings.items():
        config.DockerSpawner[name] = value
    return make_spawner(cls, run_of(**(run or {})), config)


async def test_an_image_is_chosen_by_its_label() -> None:
    driver = driver_with(image="lab:1", allowed_images=LISTED)
    assert '<option value="Big">' in await driver.get_options_form()
    options = await driver.run_options_from_form({"image": ["Big"]})
    assert options == {"image": "Big"}
    await driver.run_apply_user_options(options)
    assert driver.image == "lab:2"
    with pytest.raises(Invalid, match="image: 'lab:2' is not allowed"):
        await driver.run_options_from_form({"image": ["lab:2"]})


@pytest.mark.parametrize(
    "allowed", [LISTED, [], lambda spawner: [f"{spawner.user.name}:1"], lambda spawner: None]
)
@pytest.mark.parametrize("wanted", ["evil/miner:1", ["Big"], 7, {"a": 1}, "x" * 2**20, "lab:2; rm -rf /", ""])
async def test_any_other_is_refused_with_the_fields_name(allowed: Any, wanted: Any) -> None:
    driver = driver_with(image="lab:1", allowed_images=allowed)
    with pytest.raises(StartError, match=r"^image: "):
        await driver.run_apply_user_options({"image": wanted})
    assert driver.image == "lab:1"


async def test_a_function_may_say_which_images() -> None:
    driver = driver_with(allowed_images=lambda spawner: {"Own": f"{spawner.user.name}:1"})
    await driver.run_apply_user_options({"image": "Own"})
    assert driver.image == "alice:1"


async def test_who_says_what_options_mean_is_asked_when_there_is_no_list() -> None:
    driver = driver_with(apply_user_options={"image": "image"})
    await driver.run_apply_user_options({"image": "lab:9"})
    assert driver.image == "lab:9"
    # A list holds for everybody.
    driver = driver_with(apply_user_options={"image": "image"}, allowed_images=["lab:1"])
    with pytest.raises(StartError, match="image: 'lab:9' is not allowed"):
        await driver.run_apply_user_options({"image": "lab:9"})


async def test_an_option_of_a_profile_is_the_profiles() -> None:
    driver = driver_with(image="lab:1")
    await driver.run_apply_user_options({"profile": "course", "options": {"image": "big"}})
    assert driver.image == "lab:1"


async def test_who_names_a_profile_where_there_is_none_gets_no_other_image_by_it() -> None:
    driver = driver_with(image="lab:1", apply_user_options={"image": "image"}, allowed_images=["lab:1"])
    with pytest.raises(StartError, match="evil:1"):
        await driver.run_apply_user_options({"profile": "course", "image": "evil:1"})
    assert driver.image == "lab:1"


async def test_without_a_list_there_is_no_form_and_with_a_star_any_image() -> None:
    assert await driver_with().get_options_form() == ""
    driver = driver_with(allowed_images="*")
    assert "<input" in await driver.get_options_form()
    await driver.run_apply_user_options({"image": "quay.io/any/image:1"})
    assert driver.image == "quay.io/any/image:1"


def test_old_names_are_obeyed() -> None:
    driver = driver_with(
        container_image="lab:7",
        container_prefix="old",
        container_port=9999,
        remove_containers=True,
        image_whitelist=["lab:7"],
        hub_ip_connect="10.0.0.1",
    )
    assert (driver.image, driver.prefix, driver.port, driver.remove) == ("lab:7", "old", 9999, True)
    assert driver.allowed_images == ["lab:7"]
    assert driver.get_env()["JUPYTERHUB_API_URL"] == "http://10.0.0.1:8081/hub/api"


def test_names_are_those_of_dockerspawner() -> None:
    assert driver_with().object_name == "jupyter-alice"
    named = replace(run_of("Ada.l"), name="my-gpu")
    assert make_spawner(DockerSpawner, named, Config()).object_name == "jupyter--41da-2el--my-2dgpu"
    assert driver_with(name_template="{imagename}-{raw_username}", image="a/b:1").object_name == "a-b-1-alice"
    long = make_spawner(SwarmSpawner, run_of("ä" * 40), Config()).object_name
    assert len(long) <= 63
    assert driver_with(network_name="lab").use_internal_ip
    assert not driver_with().use_internal_ip
    assert driver_with(SwarmSpawner).use_internal_ip


def test_limits_may_be_functions_of_the_owner() -> None:
    driver = driver_with(
        mem_limit=lambda spawner: "1G" if spawner.user.name == "alice" else "2G", cpu_limit=2
    )
    assert (driver.mem_limit, driver.cpu_limit) == (2**30, 2.0)
    assert driver.get_env()["MEM_LIMIT"] == str(2**30)
    with pytest.raises(TraitError, match="no size"):
        _ = driver_with(mem_limit=lambda spawner: "lots").mem_limit


def test_where_ports_are_published() -> None:
    def host_ip(url: str) -> str:
        return str(driver_with(client_kwargs={"base_url": url}).host_ip)

    assert host_ip("unix:///run/x.sock") == "127.0.0.1"
    assert host_ip("tcp://10.0.0.7:2375") == "10.0.0.7"
    assert host_ip("tcp://engine.example.org:2375") == "0.0.0.0"


async def test_nothing_of_another_hub_is_looked_for() -> None:
    driver = driver_with(run={"hub": hub_view(hub_id="")})
    assert await driver.find_orphans([]) == []


async def test_a_rename_that_would_lose_volumes_is_refused() -> None:
    driver = driver_with(volumes={"box-{username}-{servername}": "/box"})
    with pytest.raises(StartError, match="volumes go by its name"):
        await driver.rename("old", "new")
