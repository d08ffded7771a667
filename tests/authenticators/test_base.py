"""The public class: admission, names, old names, and overriding in every style."""

from __future__ import annotations

import asyncio
import logging
import types
from collections.abc import Awaitable, Generator, Mapping
from typing import Any

import pytest
from traitlets import Bool, TraitError
from traitlets.config import Config

from carrel.authenticators.base import Authenticator, NamedUser
from carrel.authenticators.dummy import DummyAuthenticator
from carrel.authenticators.login import check_login
from carrel.authenticators.policy import NO_RULE, Refusal
from carrel.domain.errors import Invalid
from carrel.domain.identity import Identity


class Echo(Authenticator):
    """Answers with what the test put there."""

    answer: Any = None

    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        return self.answer if self.answer is not None else data["username"]


def echo(**settings: Any) -> Echo:
    answer = settings.pop("answer", None)
    authenticator = Echo(**settings)
    authenticator.answer = answer
    return authenticator


async def log_in(authenticator: Authenticator, name: str = "ada", **data: str) -> Identity | Refusal:
    return await check_login(authenticator, None, {"username": name, **data})


async def admitted(authenticator: Authenticator, name: str = "ada") -> bool:
    return isinstance(await log_in(authenticator, name), Identity)


async def test_an_admin_named_in_the_config_is_admitted_and_becomes_one() -> None:
    authenticator = echo(admin_users={"Ada"})
    assert await log_in(authenticator) == Identity("ada", admin=True)
    assert not await admitted(authenticator, "bob")


async def test_a_block_wins_over_everything() -> None:
    authenticator = echo(blocked_users={"ADA"}, admin_users={"ada"}, allowed_users={"ada"}, allow_all=True)
    assert not await admitted(authenticator)


async def test_a_block_is_not_evaded_where_a_plug_in_keeps_the_case_of_names() -> None:
    class Cased(Echo):
        def normalize_username(self, username: str) -> str:
            return username

    assert not await admitted(Cased(allow_all=True, blocked_users={"Mallory"}), "mALLORY")


async def test_an_unopinionated_authenticator_leaves_the_admin_flag_alone() -> None:
    assert await log_in(echo(allow_all=True)) == Identity("ada", admin=None)
    assert await log_in(echo(allow_all=True, answer={"name": "ada", "admin": False})) == Identity(
        "ada", False
    )


async def test_a_name_that_is_mapped_is_mapped_once() -> None:
    authenticator = echo(allow_all=True, username_map={"a": "b", "b": "c"})
    assert await log_in(authenticator, "A") == Identity("b")


async def test_lists_may_hold_the_name_that_the_authenticator_gives() -> None:
    authenticator = echo(allowed_users={"Ada.Lovelace"}, username_map={"ada.lovelace": "ada"})
    assert await admitted(authenticator, "ada.lovelace")


async def test_only_names_that_match_the_pattern_are_admitted() -> None:
    authenticator = echo(allow_all=True, username_pattern="a")
    assert await admitted(authenticator, "ada")
    assert not await admitted(authenticator, "bob")
    with pytest.raises(TraitError, match="not a regular expression"):
        echo(username_pattern="(")


class Registry:
    """The hub's users, as far as a log-in asks."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    async def __call__(self, name: str) -> bool:
        return name in self.names


async def test_existing_users_are_admitted_as_long_as_they_exist() -> None:
    authenticator, registry = echo(allow_existing_users=True), Registry("ada")
    for name, expected in (("Ada", Identity), ("bob", Refusal)):
        outcome = await check_login(authenticator, None, {"username": name}, exists=registry)
        assert isinstance(outcome, expected)
    registry.names.clear()
    outcome = await check_login(authenticator, None, {"username": "ada"}, exists=registry)
    assert isinstance(outcome, Refusal)


async def test_who_exists_is_asked_by_the_name_that_was_proved() -> None:
    authenticator = echo(allow_existing_users=True, answer="mallory")
    outcome = await check_login(authenticator, None, {"username": "ada"}, exists=Registry("ada"))
    assert isinstance(outcome, Refusal)


async def test_existing_users_count_only_when_the_setting_says_so() -> None:
    outcome = await check_login(echo(), None, {"username": "ada"}, exists=Registry("ada"))
    assert isinstance(outcome, Refusal)
    assert echo(allowed_users={"ada"}).allow_existing_users
    assert not echo().allow_existing_users


async def test_users_who_are_added_later_are_admitted_until_they_are_removed() -> None:
    authenticator = echo(allowed_users={"ada"})
    await authenticator.add_user_now("bob")
    assert await admitted(authenticator, "bob")
    await authenticator.delete_user_now("bob")
    assert not await admitted(authenticator, "bob")


@pytest.mark.parametrize(
    ("old", "new"),
    [("whitelist", "allowed_users"), ("blacklist", "blocked_users"), ("admin_whitelist", "admin_users")],
)
@pytest.mark.parametrize("style", ["assigned", "added", "beside the new name"])
def test_an_old_name_of_a_setting_warns_and_is_obeyed(
    old: str, new: str, style: str, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config()
    expected = {"ada"}
    if style == "added":
        config.Authenticator[old].add("ada")
    else:
        config.Authenticator[old] = {"ada"}
    if style == "beside the new name":
        config.Echo[new] = {"bob"}
        expected = {"ada", "bob"}
    with caplog.at_level(logging.WARNING):
        authenticator = Echo(config=config)
    assert getattr(authenticator, new) == expected
    assert f"Echo.{old} is deprecated: use Echo.{new}" in caplog.text


async def test_old_names_are_enforced_at_log_in() -> None:
    config = Config()
    config.Authenticator.whitelist = {"ada", "eve"}
    config.Authenticator.blacklist = {"eve"}
    assert await admitted(Echo(config=config), "ada")
    assert not await admitted(Echo(config=config), "bob")
    assert not await admitted(Echo(config=config), "eve")


async def test_an_old_method_of_a_plug_in_is_still_asked() -> None:
    class Old(Echo):
        def check_whitelist(self, username: str) -> bool:  # type: ignore[override]
            return username.startswith("a")

    assert await admitted(Old(), "ada")
    assert not await admitted(Old(allow_all=True), "bob")


async def test_an_override_may_take_the_name_alone() -> None:
    class Short(Echo):
        def check_blocked_users(self, username: str) -> bool:  # type: ignore[override]
            return username != "eve"

    assert await admitted(Short(allow_all=True), "ada")
    assert not await admitted(Short(allow_all=True), "eve")


class Plain(Authenticator):
    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        return data["username"]

    def check_allowed(self, username: str, authentication: Any = None) -> bool:
        return True


class Coroutine(Authenticator):
    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        await asyncio.sleep(0)
        return {"name": data["username"], "auth_state": {"key": "value"}}

    async def check_allowed(self, username: str, authentication: Any = None) -> bool:
        await asyncio.sleep(0)
        return True

    async def is_admin(self, handler: Any, authentication: Any) -> bool:
        return True


class Future(Plain):
    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Awaitable[str]:
        future = asyncio.get_running_loop().create_future()
        future.set_result(data["username"])
        return future


class Generator_(Plain):  # noqa: N801
    @types.coroutine
    def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Generator[Any, Any, str]:
        yield from asyncio.sleep(0).__await__()
        return str(data["username"])


@pytest.mark.parametrize("style", [Plain, Coroutine, Future, Generator_])
async def test_every_style_of_overriding_works(style: type[Authenticator]) -> None:
    outcome = await log_in(style())
    assert isinstance(outcome, Identity)
    assert outcome.name == "ada"
    assert await style().get_authenticated_user(None, {"username": "ada"}) is not None
    if style is Coroutine:
        assert outcome == Identity("ada", admin=True, auth_state={"key": "value"})


async def test_coroutines_of_jupyterhubs_base_class_can_be_awaited_by_a_plug_in() -> None:
    class Careful(Echo):
        async def is_admin(self, handler: Any, authentication: Any) -> Any:
            return await super().is_admin(handler, authentication) or authentication["name"] == "root"

        async def refresh_user(self, user: Any, handler: Any = None) -> Any:
            return await super().refresh_user(user, handler)

    assert await log_in(Careful(allow_all=True), "root") == Identity("root", admin=True)
    assert await Careful().refresh_user(NamedUser("ada")) is True


async def test_groups_are_handed_on_only_when_the_authenticator_manages_them() -> None:
    answer = {"name": "ada", "groups": ["g"]}
    assert await log_in(echo(allow_all=True, answer=answer)) == Identity("ada", groups=None)
    managed = echo(allow_all=True, manage_groups=True, answer=answer)
    assert await log_in(managed) == Identity("ada", groups=("g",))


async def test_the_hook_after_the_checks_may_change_the_model_or_refuse() -> None:
    async def add_state(authenticator: Any, handler: Any, model: dict[str, Any]) -> dict[str, Any]:
        return {**model, "auth_state": {"seen": True}}

    outcome = await log_in(echo(allow_all=True, post_auth_hook=add_state))
    assert outcome == Identity("ada", auth_state={"seen": True})
    assert not await admitted(echo(allow_all=True, post_auth_hook=lambda *_: None))


async def test_a_rule_of_a_plug_ins_own_counts_as_a_rule() -> None:
    class Team(Echo):
        allow_team = Bool(False).tag(config=True)

        def check_allowed(self, username: str, authentication: Any = None) -> bool:
            return self.allow_team and username == "ada"

    assert Team(allow_team=True).any_allow_config
    refused = await log_in(Team(allow_team=True), "bob")
    assert isinstance(refused, Refusal)
    assert NO_RULE not in refused.reason_for_log
    refused = await log_in(Team(), "ada")
    assert isinstance(refused, Refusal)
    assert NO_RULE in refused.reason_for_log


def test_starting_without_a_rule_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    echo(allow_all=True).check_allow_config()
    DummyAuthenticator().check_allow_config()
    assert not caplog.records
    echo().check_allow_config()
    assert NO_RULE in caplog.text


async def test_dummy_admits_everybody_until_a_rule_is_set() -> None:
    assert await admitted(DummyAuthenticator())
    assert await admitted(DummyAuthenticator(admin_users={"root"}))
    assert not await admitted(DummyAuthenticator(allowed_users={"bob"}))
    assert not await admitted(DummyAuthenticator(allow_existing_users=True))
    assert await admitted(DummyAuthenticator(allow_existing_users=False))
    assert not await admitted(DummyAuthenticator(allow_all=False))


async def test_a_refusing_add_user_is_told_in_one_sentence() -> None:
    class Strict(Echo):
        def add_user(self, user: Any) -> None:
            raise KeyError(f"{user.name} has no home")

    with pytest.raises(Invalid, match="refused user ada: 'ada has no home'"):
        await Strict().add_user_now("ada")


async def test_a_failing_delete_user_does_not_stop_the_removal(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Echo):
        def delete_user(self, user: NamedUser) -> None:
            raise OSError("disk gone")

    await Broken().delete_user_now("ada")
    assert "disk gone" in caplog.text


def test_the_pages_are_found_below_the_hub() -> None:
    authenticator = echo()
    assert authenticator.login_url("/hub/") == "/hub/login"
    assert authenticator.logout_url("/base/hub") == "/base/hub/logout"
    assert authenticator.get_handlers(None) == []
    assert authenticator.login_form
