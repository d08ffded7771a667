"""Profiles as configurations write them: their own, KubeSpawner's and WrapSpawner's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carrel.app.classes import Classes, find_classes, resolve_classes
from carrel.config.arguments import parse_arguments
from carrel.config.load import load, read_all
from carrel.config.schema import Problem
from carrel.domain.profiles import Profile, select
from carrel.lib.registry import name_of
from carrel.spawners.local import LocalProcessSpawner
from carrel.spawners.simple import SimpleLocalProcessSpawner
from tests.rigs.places import ROOT

PAGE = ROOT / "docs" / "how-to" / "profiles.md"
HEAD = "c.JupyterHub.spawner_class = 'simple'\n"
FULL = """
c.Profiles.profiles = [
    {
        "id": "small",
        "title": "A small one",
        "description": "For a lecture",
        "overrides": {"mem_limit": "2G", "environment": {"A": "1"}},
        "price": "0.10 €/h",
        "options": {
            "memory": {"type": "number", "min": 1, "max": 4, "sets": {"mem_limit": "{value}G"}},
            "word": {"type": "text", "sets": {"environment": {"WORD": "{value}"}}},
            "debug": {"type": "switch", "on": {"debug": True}},
            "page": {
                "choices": {"lab": "Lab", "tree": {"overrides": {"default_url": "/tree"}}},
            },
        },
    },
    {"title": "Your own account", "spawner": "localprocess", "groups": ["staff"], "default": True},
]
"""
KUBE = """
c.KubeSpawner.profile_list = [
    {
        "display_name": "GPU (large)",
        "description": "With a GPU",
        "kubespawner_override": {"cpu_limit": 2, "node_selector": {"gpu": "true"}},
        "profile_options": {
            "page": {
                "display_name": "Page",
                "choices": {
                    "lab": {"display_name": "Lab", "kubespawner_override": {"default_url": "/lab"}},
                    "tree": {"display_name": "Files", "default": True, "kubespawner_override": {}},
                },
                "unlisted_choice": {
                    "enabled": True,
                    "display_name": "Another",
                    "validation_regex": "^/[a-z]+$",
                    "validation_message": "It must be a page",
                    "kubespawner_override": {"default_url": "{value}"},
                },
            },
        },
    },
    {"display_name": "Small", "slug": "s", "default": True},
]
"""
WRAP = """
c.ProfilesSpawner.profiles = [
    ("A small one", "small", "carrel.spawners.simple.SimpleLocalProcessSpawner", {"environment": {"S": "s"}}),
    ("Your own", "own", "localprocess", dict(debug=True)),
]
"""


def classes_of(directory: Path, text: str) -> tuple[Classes, list[Problem]]:
    (directory / "jupyterhub_config.py").write_text(HEAD + text)
    return find_classes(load([], directory, {}).settings)


def read(directory: Path, text: str) -> tuple[Profile, ...]:
    classes, problems = classes_of(directory, text)
    assert not [problem for problem in problems if problem.fatal]
    return classes.profiles.fixed


def told(directory: Path, text: str) -> list[str]:
    _, problems = classes_of(directory, text)
    assert all(problem.location for problem in problems)
    return [problem.message for problem in problems if problem.fatal]


def test_profiles_say_their_spawner_settings_and_options(tmp_path: Path) -> None:
    small, own = read(tmp_path, FULL)
    assert small.spawner == name_of(SimpleLocalProcessSpawner)
    assert [option.rule.kind for option in small.options] == ["number", "text", "switch", "choice"]
    wanted = {"profile": "small", "memory": 3, "word": "hello", "debug": True, "page": "tree"}
    assert select([small, own], wanted).overrides == (
        {"mem_limit": "2G", "environment": {"A": "1"}},
        {"mem_limit": "3G"},
        {"environment": {"WORD": "hello"}},
        {"debug": True},
        {"default_url": "/tree"},
    )
    assert (own.id, own.spawner, own.groups) == (
        "your-own-account",
        name_of(LocalProcessSpawner),
        frozenset({"staff"}),
    )


def test_classes_of_profiles_are_in_use(tmp_path: Path) -> None:
    text = FULL + "c.LocalProcessSpawner.kill_timeout = 5\nc.LocalProcessSpawner.kil_timeout = 5\n"
    classes, problems = classes_of(tmp_path, text)
    assert [problem.setting for problem in problems] == ["LocalProcessSpawner.kil_timeout"]
    assert classes.spawners().of(name_of(LocalProcessSpawner)) is LocalProcessSpawner
    assert resolve_classes(load([], tmp_path, {}).settings).profiles.in_use


def test_all_that_is_wrong_is_told_at_once_with_profile_and_field(tmp_path: Path) -> None:
    text = """
c.Profiles.profiles = [
    {"id": "a", "overrides": {"mem_limt": "2G", "port": "x", "api_token": "t"}},
    {"id": "a", "spawner": "dokcer"},
    {"id": "b", "grups": ["x"], "users": "ada", "options": {
        "n": {"type": "number", "min": 1, "max": "x"},
        "m": {"type": "number", "min": 1, "max": 4, "default": 9, "sets": "mem_limit"},
        "k": {"type": "numbr"},
        "t": {"type": "text", "pattern": "(", "sets": "wrod"},
        "s": {"type": "switch", "on": {"debug": 3}},
        "i": {"type": "image", "images": []},
        "o": {"choices": ["x", "x"], "unlisted": {}},
        "1x": {"type": "switch"},
    }},
    {},
    7,
]
"""
    assert [line.partition(": did")[0].partition("; did")[0] for line in told(tmp_path, text)] == [
        "profile 'a': overrides.mem_limt: SimpleLocalProcessSpawner has no such setting",
        "profile 'a': overrides.api_token: SimpleLocalProcessSpawner has no such setting",
        "profile 'a': overrides.port: it must be a whole number, not the text 'x'",
        "profile 'a': spawner: nothing is called 'dokcer'",
        "profile 'a': id: there are two profiles of this id",
        "profile 'b': grups: there is no such key",
        "profile 'b': options.n.max: it must be a number, not the text 'x'",
        "profile 'b': options.m.default: it must be a whole number from 1 to 4, not 9",
        "profile 'b': options.k.type: there is no type 'numbr'",
        "profile 'b': options.t.sets.wrod: SimpleLocalProcessSpawner has no such setting",
        "profile 'b': options.t.pattern: it must be a regular expression: missing ), unterminated"
        " subpattern at position 0",
        "profile 'b': options.s.on.debug: it must be True or False, not the int 3",
        "profile 'b': options.i.sets.image: SimpleLocalProcessSpawner has no such setting",
        "profile 'b': options.i.images: name one at least",
        "profile 'b': options.o.choices: 'x' stands there twice, or is no id that a choice can have",
        "profile 'b': options.o.unlisted.pattern: say as a regular expression what may be given; it must fit"
        " the whole of it",
        "profile 'b': options.1x: its name must be letters, digits, _ . and -, a letter first",
        "profile 'b': users: it must be a list of names, not the text 'ada'",
        "profile '4': id: say how it is called",
        "entry 5 must be a dictionary",
    ]


@pytest.mark.parametrize(
    "sets", ["extra_container_config", {"extra_pod_config": "securityContext: {runAsUser: {value}}"}]
)
def test_nothing_that_people_choose_stands_in_yaml(tmp_path: Path, sets: object) -> None:
    option = {"type": "text", "sets": sets}
    profile = {"id": "a", "spawner": "kubernetes", "options": {"uid": option}}
    (line,) = told(tmp_path, f"c.Profiles.profiles = [{profile!r}]")
    name = sets if isinstance(sets, str) else "extra_pod_config"
    assert line == (
        f"profile 'a': options.uid.sets.{name}: write it as a dictionary: "
        "within YAML, {value} could say anything"
    )


@pytest.mark.parametrize("text", re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_the_manuals_examples_are_right(tmp_path: Path, text: str) -> None:
    classes, problems = classes_of(tmp_path, text)
    assert [str(each) for each in problems if each.setting.startswith("Profiles.")] == []
    assert classes.profiles.fixed


def test_a_setting_that_wants_a_text_gets_numbers_as_one(tmp_path: Path) -> None:
    text = """
c.Profiles.profiles = [{"id": "x", "options": {
    "n": {"type": "number", "min": 1, "max": 4, "sets": "default_url"},
    "m": {"type": "number", "min": 1, "max": 4, "sets": {"cpu_limit": "{value}"}},
}}]
"""
    chosen = select(read(tmp_path, text), {"n": 2, "m": 2})
    assert chosen.overrides == ({"default_url": "2"}, {"cpu_limit": 2})


def test_kubespawners_list_is_read_for_the_spawner_in_use(tmp_path: Path) -> None:
    large, small = read(tmp_path, KUBE)
    assert (large.id, large.title, small.id, small.default) == ("gpu-large", "GPU (large)", "s", True)
    wanted = {"profile": "gpu-large", "page--unlisted-choice": "/editor"}
    assert select([large, small], wanted).overrides == ({"cpu_limit": 2}, {"default_url": "/editor"})
    assert select([large, small], {"profile": "gpu-large"}).values == {"page": "tree"}
    _, problems = classes_of(tmp_path, KUBE + "c.KubeSpawner.namespace = 'x'\n")
    assert [problem.message for problem in problems] == [
        "KubeSpawner has no such setting: it has no effect",
        "profile 'gpu-large': kubespawner_override.node_selector: SimpleLocalProcessSpawner has no such"
        " setting: it has no effect",
    ]


def test_what_reads_like_a_rule_of_access_is_never_overlooked(tmp_path: Path) -> None:
    text = "c.KubeSpawner.profile_list = [{'display_name': 'x', 'allowed_groups': ['y'], 'colour': 'red'}]"
    (message,) = told(tmp_path, text)
    assert message.startswith("profile 'x': allowed_groups: there is no such key")


def test_wrapspawners_list_is_read_without_it(tmp_path: Path) -> None:
    small, own = read(tmp_path, WRAP)
    assert (small.id, small.title, dict(small.overrides)) == (
        "small",
        "A small one",
        {"environment": {"S": "s"}},
    )
    assert own.spawner == name_of(LocalProcessSpawner)


@pytest.mark.parametrize(
    ("pools", "words"),
    [
        ("{}", ["profile 'gpu': devices: there is no device 'gpu'"]),
        ("{'gpu': 1}", ["profile 'gpu': devices: 2 of 'gpu' are asked for"]),
        ("{'gpu': 2}", []),
        ("{'gpu': 'two'}", []),  # refused by itself
    ],
)
def test_a_profile_of_devices_that_are_never_to_be_had_is_told_of(
    tmp_path: Path, pools: str, words: list[str]
) -> None:
    profile = "c.Profiles.profiles = [{'id': 'gpu', 'devices': {'gpu': 2}}]\n"
    (tmp_path / "jupyterhub_config.py").write_text(f"{HEAD}{profile}c.Carrel.device_pools = {pools}")
    settings, _ = read_all(parse_arguments([]), tmp_path, {})
    _, problems = find_classes(settings)
    found = [each for each in problems if each.setting == "Profiles.profiles"]
    assert [each.message[: len(text)] for each, text in zip(found, words, strict=True)] == words
    assert not any(each.fatal for each in found)


def test_lists_are_left_to_a_spawner_that_reads_them_itself(tmp_path: Path) -> None:
    own = """
from traitlets import List
from carrel.spawners.simple import SimpleLocalProcessSpawner
class KubeSpawner(SimpleLocalProcessSpawner):
    profile_list = List().tag(config=True)
c.JupyterHub.spawner_class = KubeSpawner
"""
    classes, problems = classes_of(tmp_path, own + KUBE)
    assert not classes.profiles.in_use
    assert problems == []


def test_our_own_list_wins_over_the_others(tmp_path: Path) -> None:
    classes, problems = classes_of(tmp_path, FULL + KUBE)
    assert classes.profiles.setting == "Profiles.profiles"
    (told,) = [problem for problem in problems if problem.setting == "KubeSpawner.profile_list"]
    assert told.message == "it has no effect beside c.Profiles.profiles"


def test_forms_of_the_deployers_are_said_to_be_unseen(tmp_path: Path) -> None:
    _, problems = classes_of(tmp_path, FULL + "c.Spawner.options_form = '<input name=x>'\n")
    assert [(problem.setting, problem.kind) for problem in problems] == [("Spawner.options_form", "unused")]


def test_further_spawners_are_named_for_functions_and_for_servers_of_old(tmp_path: Path) -> None:
    text = "c.Profiles.profiles = lambda user: []\nc.Profiles.spawners = ['localprocess', 'nowhere.At']\n"
    classes, problems = classes_of(tmp_path, text)
    assert LocalProcessSpawner in classes.chosen()
    assert [problem.setting for problem in problems] == ["Profiles.spawners"]
    assert classes.profiles.ask is not None


@pytest.mark.parametrize("value", ["7", "'small'", "[('a', 'b')]", "{'id': 'x'}"])
def test_what_is_no_list_of_profiles_is_refused(tmp_path: Path, value: str) -> None:
    assert told(tmp_path, f"c.Profiles.profiles = {value}")


def test_an_option_of_the_type_repository_says_which_are_allowed(tmp_path: Path) -> None:
    def problems(hosts: str) -> list[str]:
        option = f'"course": {{"type": "repository", "hosts": {hosts}}}'
        text = f'c.Profiles.profiles = [{{"id": "x", "title": "X", "options": {{{option}}}}}]\n'
        (tmp_path / "jupyterhub_config.py").write_text(HEAD + text)
        return [
            problem.message for problem in find_classes(load([], tmp_path, {}).settings)[1] if problem.fatal
        ]

    assert problems('["github.com/our-school"]') == []
    assert problems("[]") == []
    assert "no address of a repository" in problems('["git://x"]')[0]
    assert "it must be a list of hosts" in problems('"github.com"')[0]
