"""What a container runs when its server is started from a repository, and reading what it says of that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets.config import Config

from carrel.spawners.docker.frames import Frames
from carrel.spawners.docker.inspection import ended_before
from carrel.spawners.docker.repositories import label_of, put_before
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.docker.swarm import SwarmSpawner
from carrel.spawners.docker.system_user import SystemUserSpawner
from carrel.spawners.errors import StartError
from carrel.spawners.repositories import choose_repository
from carrel.spawners.run import make_spawner
from tests.spawners.rig import run_of

WORDS = ["carrel-repository", "--"]
STACK = {"Entrypoint": ["tini", "-g", "--", "start.sh"], "Cmd": ["start-notebook.py"]}


@pytest.mark.parametrize(
    ("body", "image", "command"),
    [
        ({"Cmd": ["lab"]}, STACK, ["lab"]),
        ({}, STACK, ["start-notebook.py"]),
        ({"Cmd": None}, {"Entrypoint": None, "Cmd": ["lab"]}, ["lab"]),
        # An entry point of its own is for a command of its own.
        ({"Entrypoint": ["tini", "--"], "Cmd": ["lab"]}, {"Cmd": ["x"]}, ["lab"]),
        ({"Entrypoint": []}, {"Entrypoint": ["sh", "-c", "x"], "Cmd": ["lab"]}, ["lab"]),
        # A command may be a shell's line: it is what the preparation becomes.
        ({}, {"Cmd": ["/bin/sh", "-c", "exec lab"]}, ["/bin/sh", "-c", "exec lab"]),
        ({"User": "1000:0", "Cmd": ["lab"]}, {}, ["lab"]),
    ],
)
def test_the_words_stand_before_the_command(
    body: dict[str, Any], image: dict[str, Any], command: list[str]
) -> None:
    assert put_before({"Image": "i", **body}, WORDS, image) == {
        "Image": "i",
        **body,
        "Cmd": [*WORDS, *command],
    }


@pytest.mark.parametrize(
    ("body", "image", "reason"),
    [
        ({}, {}, "does not say by which command"),
        ({}, {"Entrypoint": ["lab"]}, "does not say by which command"),
        ({}, {"Entrypoint": ["lab"], "Cmd": ["--debug"]}, "does not say by which command"),
        ({"Entrypoint": ["tini", "--"]}, {"Cmd": ["lab"]}, "does not say by which command"),
        ({"Cmd": ["lab"]}, {"Entrypoint": ["/bin/sh", "-c", "exec other"]}, "line of a shell"),
        ({"Cmd": ["lab"], "Entrypoint": ["tini", "--", "bash", "-lc"]}, {}, "line of a shell"),
        ({"Cmd": ["lab"], "User": "root"}, {}, "starts as root"),
        ({"Cmd": ["lab"], "User": "0:100"}, {}, "starts as root"),
    ],
)
def test_where_they_cannot_stand_the_start_is_refused(
    body: dict[str, Any], image: dict[str, Any], reason: str
) -> None:
    with pytest.raises(StartError, match=reason) as refused:
        put_before(body, WORDS, image)
    assert "administrator" in refused.value.hint


def test_the_program_is_the_images_unless_the_settings_name_another() -> None:
    config = Config({"Repositories": {"allowed": ["git.example"]}})
    run = run_of(user_options={"repository": {"repo": "https://git.example/x"}})

    def words(cls: type[DockerSpawner]) -> list[str]:
        driver = make_spawner(cls, run, config)
        choose_repository(driver, driver.user_options)
        return driver.preparation()

    assert words(SystemUserSpawner)[:2] == ["carrel-repository", "--repo=https://git.example/x"]
    config.Repositories.command = ["/opt/tools/carrel-repository"]
    assert words(DockerSpawner)[0] == "/opt/tools/carrel-repository"
    with pytest.raises(StartError, match="SwarmSpawner does not start servers from repositories"):
        words(SwarmSpawner)


def test_containers_of_different_repositories_are_told_apart() -> None:
    course = {"repo": "https://git.example/x", "ref": "main", "path": "a.ipynb"}
    assert label_of(course) == label_of({**course, "path": ""}) == "https://git.example/x#main"
    assert len({label_of({}), label_of(course), label_of({**course, "ref": "next"})}) == 3


@given(st.lists(st.binary(max_size=300)), st.data())
def test_frames_are_read_whatever_the_pieces(written: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(bytes([1, 0, 0, 0]) + len(each).to_bytes(4, "big") + each for each in written)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames, begin, found = Frames(), 0, b""
    for end in (*cuts, len(stream)):
        found += frames.feed(stream[begin:end])
        begin = end
    assert found == b"".join(written)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01T00:00:00Z", ""),
        ("", ""),
        ("nonsense", ""),
        ("2023-11-14T22:13:20.123456789Z", "1700000000.123456789"),
        ("2023-11-15T00:13:20.5+02:00", "1700000000.5"),
        ("2023-11-14T22:13:20Z", "1700000000.0"),
    ],
)
def test_when_the_run_before_ended(text: str, expected: str) -> None:
    assert ended_before({"State": {"FinishedAt": text}}) == expected
