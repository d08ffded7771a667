"""An access rule that nobody would obey is a problem, not a silence."""

from __future__ import annotations

import pytest
from traitlets.config import Config

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.authenticators.pam import PAMAuthenticator
from carrel.authenticators.settings import unknown_access_settings


@pytest.mark.parametrize(
    ("section", "name", "says"),
    [
        ("Authenticator", "alowed_users", "did you mean allowed_users?"),
        ("Authenticator", "blocked_user", "did you mean blocked_users?"),
        ("DummyAuthenticator", "admins", "DummyAuthenticator has no such access rule"),
        ("Authenticator", "deny_users", "no such access rule"),
        ("Authenticator", "alow_al", "did you mean allow_all?"),
        ("DummyAuthenticator", "allowed_groups", "no such access rule"),
    ],
)
def test_an_unknown_access_rule_is_found(section: str, name: str, says: str) -> None:
    config = Config({section: {name: {"ada"}}})
    (problem,) = unknown_access_settings(config, DummyAuthenticator)
    assert problem.fatal
    assert problem.setting == f"{section}.{name}"
    assert says in problem.message


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("Authenticator", "allowed_users"),
        ("Authenticator", "whitelist"),
        ("LocalAuthenticator", "group_whitelist"),
        ("PAMAuthenticator", "admin_groups"),
        ("PAMAuthenticator", "service"),
        ("PAMAuthenticator", "colour"),
        ("SomeOtherAuthenticator", "allowed_userz"),
    ],
)
def test_what_is_obeyed_or_gives_no_access_is_no_problem(section: str, name: str) -> None:
    assert unknown_access_settings(Config({section: {name: {"ada"}}}), PAMAuthenticator) == []
