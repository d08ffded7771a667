"""What every authenticator must do. A driver's test subclasses the suite and says whom it knows:

class TestMyAuthenticator(AuthenticatorConformance):
    def make(self, **settings): return MyAuthenticator(**settings)
    good = {"username": "ada", "password": "…"}
    bad = {"username": "ada", "password": "wrong"}
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from carrel.authenticators.base import Authenticator
from carrel.authenticators.login import check_login
from carrel.authenticators.policy import NO_RULE, Refusal, fold_name
from carrel.domain.identity import Identity

#: What a log-in form sends.
Form = Mapping[str, str]

_NASTY_NAMES = ("", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", " ", "x" * 10_000)


class AuthenticatorConformance:
    """Tests for one driver; `good` None says that nobody can log in with it."""

    good: ClassVar[Form | None] = None
    bad: ClassVar[Form | None] = None

    def make(self, **settings: Any) -> Authenticator:
        """Return a new authenticator with these traits set."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The normalised name of whom `good` lets in."""
        assert self.good is not None
        return fold_name(self.good["username"])

    async def log_in(self, data: Form, **settings: Any) -> Identity | Refusal:
        """Return the outcome of one log-in with a fresh authenticator."""
        authenticator = self.make(**settings)
        try:
            return await check_login(authenticator, None, data)
        finally:
            authenticator.close()

    async def test_right_credentials_are_an_identity(self) -> None:
        outcome = await self.log_in(self.good or {"username": "ada"}, allow_all=True)
        if self.good is None:
            assert isinstance(outcome, Refusal)
        else:
            assert isinstance(outcome, Identity), outcome
            assert outcome.name == self.name

    async def test_wrong_credentials_are_refused_in_words_that_do_not_tell_which_part_was_wrong(self) -> None:
        for data in filter(None, (self.bad, {"username": "", "password": ""}, {})):
            outcome = await self.log_in(data, allow_all=True)
            assert isinstance(outcome, Refusal)
            assert outcome.reason_for_page == "Invalid username or password"

    async def test_without_a_rule_nobody_is_admitted_and_the_page_says_so(self) -> None:
        outcome = await self.log_in(self.good or {"username": "ada"}, allow_all=False)
        assert isinstance(outcome, Refusal)
        if self.good is not None:
            assert NO_RULE[1:] in outcome.reason_for_page
            assert NO_RULE in outcome.reason_for_log

    async def test_lists_admit_make_admins_and_block(self) -> None:
        if self.good is None:
            assert isinstance(await self.log_in({}, allowed_users={"ada"}), Refusal)
            return
        shouted = self.name.upper()
        allowed = await self.log_in(self.good, allow_all=False, allowed_users={shouted})
        assert isinstance(allowed, Identity)
        assert not allowed.admin
        other = await self.log_in(self.good, allow_all=False, allowed_users={"somebody-else"})
        assert isinstance(other, Refusal)
        blocked = await self.log_in(self.good, allow_all=True, blocked_users={shouted})
        assert isinstance(blocked, Refusal)

    @pytest.mark.parametrize("name", _NASTY_NAMES)
    async def test_a_name_that_cannot_be_a_users_is_refused(self, name: str) -> None:
        outcome = await self.log_in({**(self.good or {}), "username": name}, allow_all=True)
        assert isinstance(outcome, Refusal)
        assert len(outcome.reason_for_log) < 500
        assert outcome.reason_for_log.isprintable()

    async def test_no_password_is_repeated_anywhere(self, caplog: pytest.LogCaptureFixture) -> None:
        canary = "canary-4711-password"
        with caplog.at_level(logging.DEBUG):
            outcome = await self.log_in({**(self.bad or {"username": "ada"}), "password": canary})
        assert canary not in repr(outcome)
        assert canary not in caplog.text

    async def test_closing_twice_is_harmless(self) -> None:
        authenticator = self.make()
        authenticator.close()
        authenticator.close()
        assert isinstance(authenticator.login_form, bool)
