"""PAM for real, with accounts that are made for the test and removed after it. Needs root."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import subprocess
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from carrel.authenticators.base import Authenticator, NamedUser
from carrel.authenticators.local import LocalAuthenticator
from carrel.authenticators.login import Refusal, check_login
from carrel.authenticators.pam import PAMAuthenticator
from carrel.domain.errors import Invalid
from carrel.domain.identity import Identity
from carrel.lib.awaiting import resolve
from carrel.testing.conformance.authenticator import AuthenticatorConformance, Form

pytestmark = pytest.mark.real

NAME = f"crl-pam-{os.getpid()}"
GROUP = f"crl-grp-{os.getpid()}"
PASSWORD = "Sesam, öffne dich 42"


def run(*command: str, feed: str | None = None) -> None:
    subprocess.run(command, input=feed, text=True, check=True, capture_output=True)


@pytest.fixture(scope="module", autouse=True)
def account() -> Iterator[None]:
    run("groupadd", GROUP)
    run("useradd", "--no-create-home", "--groups", GROUP, NAME)
    try:
        run("chpasswd", feed=f"{NAME}:{PASSWORD}\n")
        yield
    finally:
        run("userdel", NAME)
        run("groupdel", GROUP)


async def log_in(
    authenticator: Authenticator, name: str = NAME, password: str = PASSWORD
) -> Identity | Refusal:
    try:
        return await check_login(authenticator, None, {"username": name, "password": password})
    finally:
        authenticator.close()


class TestPAM(AuthenticatorConformance):
    good: ClassVar[Form] = {"username": NAME, "password": PASSWORD}
    bad: ClassVar[Form] = {"username": NAME, "password": "wrong"}

    def make(self, **settings: Any) -> Authenticator:
        return PAMAuthenticator(**settings)


async def test_an_unknown_account_is_refused_as_a_wrong_password_is(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        outcomes = [
            await log_in(PAMAuthenticator(allow_all=True), f"{NAME}-nobody"),
            await log_in(PAMAuthenticator(allow_all=True), password="wrong"),
        ]
    pages = {outcome.reason_for_page for outcome in outcomes if isinstance(outcome, Refusal)}
    assert pages == {"Invalid username or password"}
    assert f"PAM refused {NAME}" in caplog.text


async def test_what_follows_a_nul_is_not_cut_off_silently() -> None:
    assert isinstance(await log_in(PAMAuthenticator(allow_all=True), password=f"{PASSWORD}\0x"), Refusal)
    assert isinstance(await log_in(PAMAuthenticator(allow_all=True), name=f"{NAME}\0x"), Refusal)


async def test_an_encoding_that_cannot_write_the_password_refuses_it() -> None:
    assert isinstance(await log_in(PAMAuthenticator(allow_all=True, encoding="ascii")), Refusal)


async def test_a_locked_account_is_refused_and_a_freed_one_admitted() -> None:
    run("usermod", "--lock", NAME)
    try:
        assert isinstance(await log_in(PAMAuthenticator(allow_all=True)), Refusal)
    finally:
        run("usermod", "--unlock", NAME)
    assert isinstance(await log_in(PAMAuthenticator(allow_all=True)), Identity)


async def test_an_expired_account_is_refused_unless_accounts_are_not_checked() -> None:
    run("usermod", "--expiredate", "1", NAME)
    try:
        assert isinstance(await log_in(PAMAuthenticator(allow_all=True)), Refusal)
        assert isinstance(await log_in(PAMAuthenticator(allow_all=True, check_account=False)), Identity)
    finally:
        run("usermod", "--expiredate", "", NAME)


async def test_groups_of_the_system_admit_and_make_admins() -> None:
    assert await log_in(PAMAuthenticator(allowed_groups={GROUP})) == Identity(NAME)
    assert await log_in(PAMAuthenticator(group_whitelist={GROUP})) == Identity(NAME)
    assert isinstance(await log_in(PAMAuthenticator(allowed_groups={"crl-no-such-group"})), Refusal)
    assert isinstance(await log_in(PAMAuthenticator(admin_groups={GROUP})), Refusal)
    both = PAMAuthenticator(allowed_groups={GROUP}, admin_groups={GROUP})
    assert await log_in(both) == Identity(NAME, admin=True)


async def test_a_plain_override_that_builds_on_the_groups_rule_gets_a_plain_answer() -> None:
    class Stricter(PAMAuthenticator):
        def check_allowed(self, username: str, authentication: Any = None) -> bool:
            return bool(super().check_allowed(username, authentication) and username == NAME)

    assert isinstance(await log_in(Stricter(allowed_groups={GROUP})), Identity)
    assert isinstance(await log_in(Stricter()), Refusal)


async def test_a_group_rule_may_be_a_coroutine() -> None:
    class Remote(LocalAuthenticator):
        async def check_allowed_groups(self, username: str, authentication: Any = None) -> bool:
            return username == NAME

    assert await Remote().check_allowed(NAME) is True
    assert await Remote().check_allowed("other") is False
    assert await Remote(blocked_users={NAME}).check_allowed(NAME) is False


async def test_a_block_wins_over_a_group() -> None:
    authenticator = LocalAuthenticator(allowed_groups={GROUP}, blocked_users={NAME})
    assert not authenticator.check_allowed(NAME)
    assert LocalAuthenticator(allowed_groups={GROUP}).check_allowed(NAME)


async def test_sessions_are_opened_in_a_thread_and_a_failure_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert PAMAuthenticator().pre_spawn_start(NamedUser(NAME), None) is None
    authenticator = PAMAuthenticator(open_sessions=True)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(2):
                await resolve(authenticator.pre_spawn_start(NamedUser(f"{NAME}-nobody"), None))
                await resolve(authenticator.post_spawn_stop(NamedUser(f"{NAME}-nobody"), None))
        told = [record for record in caplog.records if "PAM sessions are off now" in record.message]
        assert len(told) == (0 if authenticator.open_sessions else 1)
    finally:
        authenticator.close()


async def test_the_account_database_may_say_what_a_name_is() -> None:
    authenticator = PAMAuthenticator(pam_normalize_username=True)
    assert authenticator.normalize_username(NAME) == NAME
    assert authenticator.normalize_username("Nobody-Here") == "nobody-here"


async def test_a_wrong_password_does_not_hold_up_the_loop() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    loop = asyncio.get_running_loop()
    began = loop.time()
    await log_in(PAMAuthenticator(allow_all=True), password="wrong")
    spent = loop.time() - began
    ticking.cancel()
    assert ticks >= spent * 20


async def test_without_root_the_log_says_what_pam_cannot_do(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = pwd.getpwnam("nobody")
    monkeypatch.setattr(os, "geteuid", lambda: nobody.pw_uid)
    with caplog.at_level(logging.WARNING):
        await log_in(PAMAuthenticator(allow_all=True), password="wrong")
    assert "does not run as root, so PAM can check the password of nobody only" in caplog.text


async def test_an_account_is_made_on_first_use_only_when_that_is_wanted() -> None:
    name, uid = f"crl-new-{os.getpid()}", 100_000 + os.getpid()
    with pytest.raises(Invalid, match="create_system_users"):
        await LocalAuthenticator().add_user_now(name)
    making = LocalAuthenticator(
        create_system_users=True, uids={name: uid}, add_user_cmd=["useradd", "--comment", "USERNAME"]
    )
    await making.add_user_now(name)
    try:
        await making.add_user_now(name)
        account = pwd.getpwnam(name)
        assert (account.pw_uid, account.pw_gecos) == (uid, name)
        assert making.system_user_exists(NamedUser(name))
    finally:
        run("userdel", name)


async def test_an_account_that_cannot_be_made_is_explained() -> None:
    making = LocalAuthenticator(
        create_system_users=True, add_user_cmd=["sh", "-c", "echo no room >&2; exit 3"]
    )
    with pytest.raises(Invalid, match=r"could not be made \(sh: no room\)"):
        await making.add_user_now("crl-never")
    with pytest.raises(Invalid, match="hyphen"):
        await making.add_user_now("-o")
