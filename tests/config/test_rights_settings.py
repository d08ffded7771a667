"""Groups, roles and scopes of the configuration: what is read, and that every mistake is named."""

from __future__ import annotations

from typing import Any

import pytest

from carrel.config.check import check_settings
from carrel.config.rights import GroupSetting, RoleSetting, read_rights
from carrel.testing.factories import some_settings


def findings(**settings: Any) -> list[tuple[str, bool]]:
    problems = check_settings(some_settings(**settings))
    return [(str(problem), problem.fatal) for problem in problems]


def test_all_forms_are_read() -> None:
    rights, wrong = read_rights(
        some_settings(
            load_groups={
                "old": ["ada", "ada"],
                "new": {"users": {"bea"}, "properties": {"k": 1}},
                "/a b": {},
            },
            load_roles=[
                {"name": "tutor", "description": "d", "scopes": ["custom:all:read!user"], "groups": ["new"]},
                {"name": "user", "scopes": ["self", "read:hub"]},
                {"name": "admin", "users": ["root"]},
            ],
            custom_scopes={
                "custom:all": {"description": "All.", "subscopes": ["custom:all:read"]},
                "custom:all:read": {"description": "Read."},
            },
        )
    )
    assert wrong == []
    assert rights.groups == (
        GroupSetting("old", ("ada",)),
        GroupSetting("new", ("bea",), {"k": 1}),
        GroupSetting("/a b"),
    )
    assert rights.roles == (
        RoleSetting("tutor", "d", ("custom:all:read!user",), None, ("new",)),
        RoleSetting("user", None, ("self", "read:hub")),
        RoleSetting("admin", users=("root",)),
    )
    assert rights.catalog.closure["custom:all"] == {"custom:all", "custom:all:read"}


def role(**fields: Any) -> dict[str, Any]:
    return {"name": "tutor", "scopes": ["read:hub"], **fields}


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("load_groups", {"a\n": []}, "load_groups: group 'a\\n': A group's name"),
        ("load_groups", {"g": 5}, "group 'g' must be a dictionary"),
        ("load_groups", {"g": {"user": []}}, "group 'g' has no 'user': did you mean users?"),
        ("load_groups", {"g": {"users": "ada"}}, "group 'g': users must be a list"),
        ("load_groups", {"g": {"properties": []}}, "properties must be a dictionary"),
        ("load_roles", ["tutor"], "entry 1 must be a dictionary"),
        ("load_roles", [role(), {"scopes": []}], "entry 2 must be a dictionary with a text as its name"),
        ("load_roles", [role(name="Tutor")], "role 'Tutor': A role's name"),
        ("load_roles", [role(), role()], "role 'tutor' is defined twice"),
        ("load_roles", [role(scopes=["reed:users"])], "Did you mean 'read:users'?"),
        ("load_roles", [role(scopes="read:hub")], "scopes must be a list"),
        ("load_roles", [role(scopes=["users!grup=x"])], "Did you mean 'group'?"),
        ("load_roles", [role(user=["ada"])], "did you mean users?"),
        ("load_roles", [role(users=[1])], "users must be a list"),
        ("load_roles", [role(description=1)], "description must be a text"),
        ("load_roles", [{"name": "admin", "scopes": ["self"]}], "its scopes cannot be changed"),
        ("extra_user_scopes", {"read:hubs"}, "Did you mean 'read:hub'?"),
        ("custom_scopes", {"x:y": {"description": "d"}}, "custom_scopes: 'x:y': a custom scope is"),
        ("custom_scopes", {"custom:y-": {"description": "d"}}, "a custom scope is"),
        ("custom_scopes", {"custom:wxyz": {}}, "a text as its description"),
        ("custom_scopes", {"custom:wxyz": {"description": "d", "subscopes": ["users"]}}, "not a custom one"),
        (
            "custom_scopes",
            {
                "custom:wxyz": {"description": "d", "subscopes": ["custom:xyzz"]},
                "custom:xyz": {"description": "d"},
            },
            "'custom:xyzz' is not defined; did you mean custom:xyz?",
        ),
    ],
)
def test_a_mistake_keeps_the_hub_from_starting(setting: str, value: Any, says: str) -> None:
    [(text, fatal)] = findings(**{setting: value})
    assert fatal
    assert text.startswith(f"JupyterHub.{setting}: ")
    assert says in text


def test_all_mistakes_are_told_at_once() -> None:
    found = findings(
        load_roles=[role(scopes=["a", "b"], users=1)], load_groups={"g": 1}, extra_user_scopes={"c"}
    )
    assert len(found) == 5


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"load_roles": [role(scopes=[])]}, "gives nothing"),
        ({"load_roles": [role(colour=1)]}, "has no 'colour'"),
        ({"load_roles": [{"name": "user", "scopes": ["read:hub"]}]}, "lacks the scope 'self'"),
        (
            {"load_roles": [{"name": "user", "scopes": ["self"]}], "extra_user_scopes": {"read:hub"}},
            "without effect",
        ),
        ({"load_roles": [{"name": "server", "scopes": ["self"]}]}, "keep their usual scopes"),
    ],
)
def test_what_is_only_odd_warns(settings: dict[str, Any], says: str) -> None:
    [(text, fatal)] = findings(**settings)
    assert not fatal
    assert says in text
