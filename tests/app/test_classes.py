"""The classes that a configuration chooses, and what becomes of their sections."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from carrel.app.classes import AUTHENTICATORS, PROXIES, SPAWNERS, find_classes, resolve_classes
from carrel.config.load import load
from carrel.config.schema import BadConfig
from carrel.lib.registry import known_names

WRAPPER = """
from traitlets import List
from carrel.testing.fakes import FakeSpawner

class TentSpawner(FakeSpawner):
    ropes = List().tag(config=True)

class ProfilesSpawner(FakeSpawner):
    profiles = List().tag(config=True)

c.JupyterHub.spawner_class = ProfilesSpawner
c.ProfilesSpawner.profiles = [
    ('A tent', 'tent', TentSpawner, {}),
    ('Here', 'here', 'localprocess', {}),
    ('Nowhere', 'nowhere', 'no.such.Spawner', {}),
]
"""


def settings_of(directory: Path, text: str) -> object:
    (directory / "jupyterhub_config.py").write_text(text)
    return load([], directory, {}).settings


def test_sections_of_wrapped_spawners_are_in_use(tmp_path: Path) -> None:
    text = (
        WRAPPER
        + "c.TentSpawner.ropes = ['long']\nc.LocalProcessSpawner.kill_timeout = 5\nc.Spawner.ropes = []\n"
    )
    classes, problems = find_classes(settings_of(tmp_path, text))  # type: ignore[arg-type]
    assert classes.spawner.__name__ == "ProfilesSpawner"
    assert problems == []
    _, (problem,) = find_classes(settings_of(tmp_path, WRAPPER + "c.TentSpawner.rops = []"))  # type: ignore[arg-type]
    assert "did you mean ropes?" in problem.message


def test_what_has_no_effect_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "jupyterhub_config.py").write_text(
        "c.JupyterHub.spawner_class = 'simple'\nc.Spawner.zebra = 1\nc.Spawner.ssl_alt_names = ['x']\n"
        "c.Spawner.debug = True\n"
    )
    settings = load([], tmp_path, {}).settings
    with caplog.at_level(logging.WARNING):
        spawner = resolve_classes(settings).spawner
        made = spawner(config=settings.plugins)
    assert [record.getMessage().partition(": ")[2][:30] for record in caplog.records] == [
        "Spawner.zebra: SimpleLocalProc",
        "Spawner.ssl_alt_names: not use",
    ]
    assert made.debug


def test_all_classes_that_cannot_be_found_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_config.py").write_text(
        "c.JupyterHub.spawner_class = 'dokcer'\nc.JupyterHub.authenticator_class = 'oauthenticator.GitHub'\n"
        "c.JupyterHub.proxy_class = 'traefik_file'\n"
    )
    with pytest.raises(BadConfig) as caught:
        resolve_classes(load([], tmp_path, {}).settings)
    assert [problem.location[-1] for problem in caught.value.problems] == ["2", "1", "3"]
    advice = [str(problem).rpartition("; ")[2] for problem in caught.value.problems]
    assert advice == [
        "pip install oauthenticator",
        "did you mean 'docker' or 'docker-swarm'?",
        "it comes with another package: pip install jupyterhub-traefik-proxy",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("c.JupyterHub.spawner_class = 'dockerspawner.SwarmSpawner'", "use the built-in 'docker-swarm'"),
        ("from dockerspawner import DockerSpawner", "c.JupyterHub.spawner_class = 'docker'"),
    ],
)
def test_who_names_a_package_that_is_not_there_is_told_the_built_in(
    tmp_path: Path, line: str, told: str
) -> None:
    with pytest.raises(BadConfig) as caught:
        resolve_classes(settings_of(tmp_path, line))  # type: ignore[arg-type]
    (problem,) = caught.value.problems
    assert "pip install dockerspawner" in str(problem)
    assert told in str(problem)


@pytest.mark.parametrize("kind", [AUTHENTICATORS, SPAWNERS, PROXIES], ids=lambda kind: kind.setting)
def test_names_are_in_lower_case_and_packages_known_by_them(kind: object) -> None:
    names = known_names(kind)  # type: ignore[arg-type]
    assert names == [name.lower() for name in names]
    assert not set(kind.packages) & {*kind.builtins, *kind.stand_ins}  # type: ignore[attr-defined]
