"""One password for users, a longer one for admins."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from traitlets import TraitError

from carrel.authenticators.login import check_login
from carrel.authenticators.shared import SharedPasswordAuthenticator
from carrel.domain.identity import Identity

USER, ADMIN = "for the class", "for the teacher alone, and longer"


def shared(**settings: Any) -> SharedPasswordAuthenticator:
    passwords = {"user_password": USER, "admin_password": ADMIN}
    return SharedPasswordAuthenticator(
        **{**passwords, "allow_all": True, "admin_users": {"root"}, **settings}
    )


@pytest.mark.parametrize(
    ("name", "password", "outcome"),
    [
        ("ada", USER, Identity("ada", admin=False)),
        ("ada", ADMIN, None),
        ("root", ADMIN, Identity("root", admin=True)),
        ("ROOT", ADMIN, Identity("root", admin=True)),
        ("root", USER, None),
        ("ROOT", USER, None),
        ("ada", "", None),
        ("ada", USER + " ", None),
        ("ada", "für alle", None),
    ],
)
async def test_each_name_needs_its_own_password(name: str, password: str, outcome: Identity | None) -> None:
    found = await check_login(shared(), None, {"username": name, "password": password})
    assert (found if isinstance(found, Identity) else None) == outcome


async def test_a_password_that_is_not_set_lets_nobody_in() -> None:
    for data in ({"username": "ada", "password": ""}, {"username": "ada"}, {"username": "root"}):
        found = await check_login(shared(user_password=None, admin_password=None), None, data)
        assert not isinstance(found, Identity)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"user_password": "short"}, "at least 8"),
        ({"admin_password": "x" * 31}, "at least 32"),
        ({"user_password": ADMIN}, "must differ"),
        ({"user_password": ""}, "at least 8"),
    ],
)
def test_weak_passwords_are_refused_without_repeating_them(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(TraitError, match=says) as caught:
        shared(**settings)
    assert not any(value and value in str(caught.value) for value in settings.values())


def test_a_missing_password_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        shared(user_password=None, admin_password=None).check_allow_config()
    assert "user_password is not set" in caplog.text
    assert "admin_password is not set" in caplog.text


@pytest.mark.parametrize(
    ("name", "password", "groups"),
    [
        ("ada", "the tutors' password", ["tutors", "staff"]),
        ("ada", USER, []),
        ("ada", "something else", None),
        ("root", "the tutors' password", None),
    ],
)
async def test_a_password_says_which_groups_somebody_is_in(
    name: str, password: str, groups: list[str] | None
) -> None:
    passwords = {"the tutors' password": ["tutors", "staff"]}
    authenticator = shared(manage_groups=True, password_groups=passwords)
    model = await authenticator.authenticate(None, {"username": name, "password": password})
    assert (model["groups"] if model else None) == groups


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"password_groups": {"the tutors' password": ["x"]}}, "takes manage_groups = True"),
        ({"password_groups": {"short": ["x"]}, "manage_groups": True}, "at least 8"),
    ],
)
def test_passwords_of_groups_that_cannot_be(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(TraitError, match=says):
        shared(**settings)
