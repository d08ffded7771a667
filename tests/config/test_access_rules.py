"""A misspelt rule about who may do what stops a start, in every section; any other misspelt name does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from carrel.config.names import HUB_ACCESS, known_names
from carrel.config.schema import Problem, setting_fields
from tests.config.rig import choose

RULES = ("admin_users", "allow_all", "allowed_users", "allow_existing_users", "blocked_users")
RULES_OF_PAM = (*RULES, "allowed_groups", "admin_groups", "check_account", "username_pattern")
#: Section, its rules, and what the configuration must have for it.
SECTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "Authenticator": (RULES, ""),
    "LocalAuthenticator": ((*RULES, "allowed_groups"), ""),
    "PAMAuthenticator": (RULES_OF_PAM, ""),
    "DummyAuthenticator": ((*RULES, "password"), "c.JupyterHub.authenticator_class = 'dummy'"),
    "SharedPasswordAuthenticator": (
        (*RULES, "user_password", "admin_password", "password_groups"),
        "c.JupyterHub.authenticator_class = 'shared-password'",
    ),
    "JupyterHub": ((*RULES, *HUB_ACCESS), ""),
    "Carrel": ((*RULES, *HUB_ACCESS), ""),
    "Spawner": ((*RULES, "group_overrides"), ""),
    "LocalProcessSpawner": (RULES, ""),
    "Proxy": (RULES, ""),
}


def misspellings(name: str) -> Iterator[str]:
    """Yield what fingers make of a name: a letter too few, too many, two in the wrong order."""
    middle = len(name) // 2
    yield name[:middle] + name[middle + 1 :]
    yield name[:-1]
    yield name[:middle] + name[middle] + name[middle:]
    yield name[:1] + name[2:3] + name[1:2] + name[3:]


def told(directory: Path, section: str, head: str, names: Sequence[str]) -> dict[str, list[Problem]]:
    """Return what is said of each name when a configuration has all of them, from its second line on."""
    lines = [head, *(f"c.{section}.{name} = set()" for name in names)]
    _, problems = choose(directory, "\n".join(lines))
    return {
        name: [problem for problem in problems if problem.setting == f"{section}.{name}"] for name in names
    }


CASES = [(section, head, rule) for section, (rules, head) in SECTIONS.items() for rule in rules]


@pytest.mark.parametrize(
    ("section", "head", "rule"), CASES, ids=[f"{section}.{rule}" for section, _, rule in CASES]
)
def test_a_misspelt_rule_stops_the_start(tmp_path: Path, section: str, head: str, rule: str) -> None:
    known = known_names() if section in ("JupyterHub", "Carrel") else set()
    wrong = [name for name in misspellings(rule) if name not in known and name != rule]
    for line, (name, problems) in enumerate(told(tmp_path, section, head, wrong).items(), 2):
        (problem,) = problems
        assert problem.fatal, name
        assert problem.location == f"jupyterhub_config.py:{line}"
        assert problem.kind == "unknown"
        if name != rule[:-1] or section != "Spawner":
            assert rule in problem.message, problem.message


@pytest.mark.parametrize("name", sorted(set(setting_fields()) - set(HUB_ACCESS)))
def test_another_misspelt_setting_of_the_hub_only_warns(tmp_path: Path, name: str) -> None:
    wrong = [each for each in misspellings(name) if each not in known_names()]
    for problems in told(tmp_path, "JupyterHub", "", wrong).values():
        (problem,) = problems
        assert not problem.fatal, str(problem)


@pytest.mark.parametrize(
    "section", ["Authenticatr", "Authentictor", "PAMAuthenticater", "authenticator", "Athenticator"]
)
def test_a_rule_in_a_section_that_is_misspelt_stops_the_start(tmp_path: Path, section: str) -> None:
    _, problems = choose(tmp_path, f"\nc.{section}.allowed_users = {{'ada'}}\n")
    (problem,) = [each for each in problems if each.fatal]
    assert problem.location == "jupyterhub_config.py:2"
    assert "Authenticator" in problem.message
