"""The classes that a configuration chooses, and those that they start in their turn."""

from __future__ import annotations

from typing import Any

from traitlets import Dict, List
from traitlets.config import Config

from carrel.app.classes import find_classes, inner_classes
from carrel.config.schema import Settings
from carrel.spawners.base import Spawner
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner


class ChoiceSpawner(Spawner):
    profiles: Any = List().tag(config=True)
    more: Any = Dict().tag(config=True)

    def start(self) -> None: ...

    def stop(self, now: bool = False) -> None: ...

    def poll(self) -> int:
        return 0


SIMPLE = "carrel.spawners.simple.SimpleLocalProcessSpawner"


def settings_with(config: Config) -> Settings:
    return Settings(spawner_class=ChoiceSpawner, plugins=config)


def test_classes_in_profiles_are_in_use() -> None:
    config = Config()
    config.ChoiceSpawner.profiles = [("Small", "small", SIMPLE, {"cmd": ["x"]}), ("Own", LocalProcessSpawner)]
    config.ChoiceSpawner.more = {"again": SIMPLE}
    found = inner_classes(settings_with(config), [ChoiceSpawner])
    assert found == [SimpleLocalProcessSpawner, LocalProcessSpawner]


def test_profiles_that_are_appended_count_too() -> None:
    config = Config()
    config.ChoiceSpawner.profiles.append(("Small", SIMPLE))
    assert inner_classes(settings_with(config), [ChoiceSpawner]) == [SimpleLocalProcessSpawner]


def test_what_names_no_class_is_left_alone() -> None:
    config = Config()
    config.ChoiceSpawner.profiles = ["absent.module.Spawner", "logging.Handler", int, 7, None, "Spawner"]
    config.OtherSpawner.profiles = [SIMPLE]
    assert inner_classes(settings_with(config), [ChoiceSpawner]) == []


def test_settings_of_an_inner_class_are_checked_and_not_called_useless() -> None:
    config = Config()
    config.ChoiceSpawner.profiles = [("Small", SIMPLE)]
    config.SimpleLocalProcessSpawner.home_dir_template = "/srv/{username}"
    config.LocalProcessSpawner.term_timeout = "soon"
    problems = find_classes(settings_with(config))[1]
    assert [problem.setting for problem in problems] == ["LocalProcessSpawner.term_timeout"]
