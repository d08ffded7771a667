from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.spawners.docker.volumes import Volume, read_mount, read_volumes
from carrel.spawners.errors import StartError
from carrel.spawners.templates import expand


def named(**names: str) -> Any:
    return lambda template: expand(template, {"username": "ada", "raw_username": "Ada", **names})


def test_volumes_are_filled_in() -> None:
    given_volumes = {
        "jupyter-{username}": "/home/{username}",
        "/srv/{raw_username}/": {"bind": "/data", "mode": "ro"},
        "cache": {"bind": "/cache", "ro": True},
        "/sel": {"bind": "/linux", "mode": "rw,z"},
    }
    found = read_volumes("volumes", given_volumes, named())
    assert [volume.bind for volume in found] == [
        "jupyter-ada:/home/ada:rw",
        "/srv/Ada:/data:ro",
        "cache:/cache:ro",
        "/sel:/linux:rw,z",
    ]
    (locked,) = read_volumes("read_only_volumes", {"x": {"bind": "/x", "mode": "rw,z"}}, named(), mode="ro")
    assert locked == Volume("x", "/x", "ro,z")


@pytest.mark.parametrize(
    "hostile", ["../../etc", "a/../../../etc", "x:/etc", "x:/host:rw", "x\n", "x\0y", "a:ro"]
)
@pytest.mark.parametrize(
    "given_volumes",
    [
        {"/srv/{choice}/home": "/home"},
        {"v-{choice}": "/home"},
        {"v": "/home/{choice}"},
        {"v": {"bind": "/a/{choice}"}},
    ],
    ids=["directory", "name", "target", "bind"],
)
def test_what_people_choose_cannot_lead_elsewhere(hostile: str, given_volumes: dict[str, Any]) -> None:
    with pytest.raises(StartError, match=r"c\.DockerSpawner\.volumes: "):
        read_volumes("c.DockerSpawner.volumes", given_volumes, named(choice=hostile))


@given(st.text(max_size=40))
def test_a_choice_stays_below_its_directory(choice: str) -> None:
    try:
        (volume,) = read_volumes("volumes", {"/srv/homes/{choice}": "/home"}, named(choice=choice))
    except StartError:
        return
    assert volume.source.startswith("/srv/homes/")
    assert volume.bind.count(":") == 2


@pytest.mark.parametrize(
    "given_volumes",
    [{"v": "relative"}, {"v": None}, {"v": {"mode": "ro"}}, {"v": {"bind": "/x", "mode": "rx"}}, {7: "/x"}],
)
def test_what_is_no_volume_is_refused(given_volumes: dict[Any, Any]) -> None:
    with pytest.raises(StartError, match=r"^volumes: "):
        read_volumes("volumes", given_volumes, named())


def test_mounts_have_docker_pys_names_or_the_apis() -> None:
    short = {
        "type": "tmpfs",
        "target": "/scratch/{username}",
        "tmpfs_size": "64m",
        "read_only": True,
    }
    assert read_mount(short, named()) == {
        "Type": "tmpfs",
        "Target": "/scratch/ada",
        "ReadOnly": True,
        "TmpfsOptions": {"SizeBytes": 64 * 2**20},
    }
    whole = {
        "Type": "bind",
        "Source": "/srv/{username}",
        "Target": "/x",
        "BindOptions": {"Propagation": "rslave"},
    }
    assert read_mount(whole, named()) == {**whole, "Source": "/srv/ada", "ReadOnly": False}
    for wrong in ({"target": "x"}, {"source": "/x"}, {"targt": "/x"}, "x"):
        with pytest.raises(StartError, match="mounts"):
            read_mount(wrong, named())


def test_a_volume_as_a_mount() -> None:
    assert Volume("v", "/x", "ro").mount({"Name": "nfs"}) == {
        "Type": "volume",
        "Source": "v",
        "Target": "/x",
        "ReadOnly": True,
        "VolumeOptions": {"DriverConfig": {"Name": "nfs"}},
    }
    assert "VolumeOptions" not in Volume("/v", "/x").mount({"Name": "nfs"})
