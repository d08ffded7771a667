"""Each trait of JupyterHub's is obeyed, or a warning at its line says what happens in its place."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
from traitlets import HasTraits

from carrel.app.classes import AUTHENTICATORS, PROXIES, SPAWNERS
from carrel.config.arguments import Arguments
from carrel.config.load import read_all
from carrel.config.names import DERIVED
from carrel.config.plugins import check_plugins
from carrel.config.schema import Problem, setting_fields
from carrel.config.upstream import HUB_TRAITS, UNUSED_TRAITS
from carrel.config.watching import WATCHING
from carrel.lib.registry import find_class
from tests.config.upstream_traits import HUB, SECTIONS, traits
from tests.rigs.places import ROOT

HUB_CASES = traits(HUB)
PLUGIN_CASES = [(section, *case) for section, (text, _) in SECTIONS.items() for case in traits(text)]


def classes(section: str) -> list[type[HasTraits]]:
    authenticator, spawner, proxy = SECTIONS[section][1]
    who = find_class(authenticator, AUTHENTICATORS)
    where = find_class(spawner, SPAWNERS)
    way = find_class(proxy, PROXIES)
    return [who, where, way]


def read(directory: Path, section: str, name: str, value: str) -> list[Problem]:
    """Return what there is to say of one line of a configuration."""
    (directory / "jupyterhub_config.py").write_text(f"\nc.{section}.{name} = {value}\n")
    settings, problems = read_all(Arguments(config={}), directory, {})  # type: ignore[arg-type]
    if section in SECTIONS:
        problems += check_plugins(settings, classes(section))
    return problems


@cache
def read_somewhere() -> str:
    """Return all source in which a setting may be read as an attribute."""
    sources = (ROOT / "src" / "carrel").rglob("*.py")
    return "\n".join(path.read_text() for path in sources if "testing" not in path.parts)


def test_the_table_holds_all_of_the_hubs_traits() -> None:
    assert {name for name, _ in HUB_CASES} == HUB_TRAITS


@pytest.mark.parametrize(("name", "value"), HUB_CASES, ids=[name for name, _ in HUB_CASES])
def test_a_trait_of_the_hub(tmp_path: Path, name: str, value: str) -> None:
    problems = read(tmp_path, "JupyterHub", name, value)
    assert [str(each) for each in problems if "no such setting" in each.message] == []
    own = [each for each in problems if each.location == "jupyterhub_config.py:2"]
    assert own or name in setting_fields() or name in DERIVED
    if name in setting_fields():
        assert re.search(rf"\.{name}\b|\"{name}\"", read_somewhere()), "nothing reads it"


@pytest.mark.parametrize(
    ("section", "name", "value"), PLUGIN_CASES, ids=[f"{section}.{name}" for section, name, _ in PLUGIN_CASES]
)
def test_a_trait_of_a_class(tmp_path: Path, section: str, name: str, value: str) -> None:
    problems = read(tmp_path, section, name, value)
    assert [str(each) for each in problems if each.fatal] == []
    if not problems:
        known = {each for cls in classes(section) for each in cls.class_trait_names(config=True)}
        assert name in known or (section, name) == ("CryptKeeper", "keys") or section in WATCHING
        assert re.search(rf"\.{name}\b|\"{name}\"", read_somewhere()), (
            "nothing reads it, and no warning says so"
        )
    else:
        unused = section in UNUSED_TRAITS and problems[0].kind == "unused"
        stale = unused and re.search(rf"(authenticator|spawner|driver)\.{name}\b", read_somewhere())
        assert not stale, "it is obeyed now: take it out of config/upstream.py"
        assert [each.location for each in problems] == ["jupyterhub_config.py:2"]
        assert re.search(r"not used.*: \w|deprecated: \w", problems[0].message)
