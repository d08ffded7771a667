"""Sessions begin with a log-in, end with a log-out or their time, and take their tokens along."""

from __future__ import annotations

from carrel.authenticators.login import Refusal
from carrel.core.access import caller_of_session, caller_of_token
from carrel.core.caller import Caller
from carrel.core.consent import CodeRequest, issue_code
from carrel.core.login import LoggedIn, log_in, log_out, open_session
from carrel.core.oauth import get_client
from carrel.domain.identity import Identity
from carrel.lib.ids import digest
from carrel.testing.hub import TrialHub, open_test_hub

DAY = 86400.0


async def _session(hub: TrialHub, name: str = "ada") -> tuple[LoggedIn, Caller]:
    login = await open_session(hub.ctx, Identity(name))
    caller = await caller_of_session(hub.ctx, login.secret)
    assert caller is not None
    return login, caller


async def test_a_first_log_in_creates_the_user(hub: TrialHub) -> None:
    login = await log_in(hub.ctx, {"username": "Bea", "password": "x"})
    assert isinstance(login, LoggedIn)
    caller = await caller_of_session(hub.ctx, login.secret)
    assert caller is not None
    assert (caller.user.name, caller.user.admin) == ("bea", False)
    assert caller.session_id == login.session_id


async def test_a_wrong_password_is_refused() -> None:
    async with open_test_hub(plugins={"DummyAuthenticator": {"password": "right"}}) as hub:
        assert isinstance(await log_in(hub.ctx, {"username": "ada", "password": "wrong"}), Refusal)
        async with hub.ctx.store.read() as tx:
            assert await tx.users.get("ada") is None


async def test_a_session_ends_after_its_days() -> None:
    async with open_test_hub(work=False) as hub:
        login, _ = await _session(hub)
        await hub.clock.advance(14 * DAY - 1)
        assert await caller_of_session(hub.ctx, login.secret) is not None
        await hub.clock.advance(1)
        assert await caller_of_session(hub.ctx, login.secret) is None


async def test_two_browsers_have_two_sessions(hub: TrialHub) -> None:
    (first, one), (second, _) = await _session(hub), await _session(hub)
    assert first.session_id != second.session_id
    await log_out(hub.ctx, one)
    assert await caller_of_session(hub.ctx, first.secret) is None
    assert await caller_of_session(hub.ctx, second.secret) is not None


async def test_a_log_out_ends_the_tokens_of_that_session_alone(hub: TrialHub) -> None:
    _, ada = await _session(hub)
    within = await hub.token_of(ada.user, client_id="jupyterhub-user-ada", session_id=ada.session_id)
    beside = await hub.token_of(ada.user)
    assert await caller_of_token(hub.ctx, within) is not None
    await log_out(hub.ctx, ada)
    assert await caller_of_token(hub.ctx, within) is None
    assert await caller_of_token(hub.ctx, beside) is not None


async def test_a_log_out_ends_codes_that_are_on_their_way(hub: TrialHub) -> None:
    await hub.start()
    _, ada = await _session(hub)
    client = await get_client(hub.ctx, "jupyterhub-user-ada")
    assert client is not None
    code = await issue_code(hub.ctx, ada, CodeRequest(client, client.redirect_uri, ()))
    await log_out(hub.ctx, ada)
    async with hub.ctx.store.write() as tx:
        assert await tx.oauth.take_code(digest(code)) is None


async def test_the_authenticators_word_on_admins_counts(hub: TrialHub) -> None:
    for said, admin in ((None, False), (True, True), (None, True), (False, False)):
        login = await open_session(hub.ctx, Identity("ada", admin=said))
        caller = await caller_of_session(hub.ctx, login.secret)
        assert caller is not None
        assert caller.user.admin is admin


async def test_a_deleted_users_session_is_nobodys(hub: TrialHub) -> None:
    from carrel.core.users import delete_user

    login, _ = await _session(hub)
    await delete_user(hub.ctx, await hub.find("root"), "ada")
    assert await caller_of_session(hub.ctx, login.secret) is None
