"""API tokens: what they may do, how long, and that a revoked one is refused at once."""

from __future__ import annotations

import pytest

from carrel.core.access import caller_of_token
from carrel.core.tokens import issue_token, list_tokens, revoke_token
from carrel.domain.errors import Forbidden, Invalid, NotFound
from carrel.domain.roles import scopes_of_user
from carrel.testing.hub import TrialHub, open_test_hub


async def test_a_token_speaks_for_its_owner(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    made = await issue_token(hub.ctx, ada, "ada", note="for a script")
    caller = await caller_of_token(hub.ctx, made.secret)
    assert caller is not None
    assert caller.user.name == "ada"
    assert caller.scopes.names == scopes_of_user("ada", False)
    assert made.secret not in repr(made.token)


async def test_nobody_has_an_unknown_token(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    made = await issue_token(hub.ctx, ada, "ada")
    assert await caller_of_token(hub.ctx, made.secret[:4] + "0" * 28) is None
    assert await caller_of_token(hub.ctx, "") is None


@pytest.mark.parametrize(
    ("scopes", "message"),
    [
        (("admin:users",), "Not assigning requested scopes"),
        (("read:users",), "Not assigning requested scopes"),
        (("tokens!user=root",), "Not assigning requested scopes"),
        (("servers!user=ada", "read:hub"), "read:hub"),
        (("nonsense",), "There is no scope"),
    ],
)
async def test_a_token_never_gets_more_than_its_owner_has(
    hub: TrialHub, scopes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        await issue_token(hub.ctx, await hub.find("ada"), "ada", scopes=scopes)
    assert await list_tokens(hub.ctx, await hub.find("ada"), "ada") == []


async def test_not_even_when_an_admin_makes_it(hub: TrialHub) -> None:
    root = await hub.find("root")
    with pytest.raises(Invalid):
        await issue_token(hub.ctx, root, "ada", scopes=["admin:users"])
    made = await issue_token(hub.ctx, root, "ada", scopes=["inherit"])
    assert made.scopes.names == scopes_of_user("ada", False)


async def test_a_narrow_token_may_do_what_it_says_and_tell_who_it_is(hub: TrialHub) -> None:
    made = await issue_token(hub.ctx, await hub.find("ada"), "ada", scopes=["read:servers!user"])
    assert made.scopes.names == {
        "read:servers!user=ada",
        "read:users:name!user=ada",
        "read:users:groups!user=ada",
    }


async def test_a_token_shrinks_with_its_owner(hub: TrialHub) -> None:
    root = await hub.find("root")
    made = await issue_token(hub.ctx, root, "root", scopes=["admin:users"])
    async with hub.ctx.store.write() as tx:
        await tx.users.set_admin(root.user.id, False)
    caller = await caller_of_token(hub.ctx, made.secret)
    assert caller is not None
    assert not caller.may("admin:users", user="ada")


async def test_a_token_expires(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    made = await issue_token(hub.ctx, ada, "ada", expires_in=60)
    assert await caller_of_token(hub.ctx, made.secret) is not None
    await hub.clock.advance(59)
    assert await caller_of_token(hub.ctx, made.secret) is not None
    await hub.clock.advance(1)
    assert await caller_of_token(hub.ctx, made.secret) is None
    assert await list_tokens(hub.ctx, ada, "ada") == []


@pytest.mark.parametrize("seconds", [0, -1])
async def test_a_token_cannot_have_expired_already(hub: TrialHub, seconds: float) -> None:
    with pytest.raises(Invalid, match="positive"):
        await issue_token(hub.ctx, await hub.find("ada"), "ada", expires_in=seconds)


async def test_a_revoked_token_is_refused_at_once(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    made = await issue_token(hub.ctx, ada, "ada")
    assert await caller_of_token(hub.ctx, made.secret) is not None
    await revoke_token(hub.ctx, ada, "ada", f"a{made.token.id}")
    assert await caller_of_token(hub.ctx, made.secret) is None


async def test_one_of_a_clients_tokens_takes_the_others_along(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    secrets = [await hub.token_of(ada.user, client_id="service-x") for _ in range(2)]
    own = await hub.token_of(ada.user)
    first = await caller_of_token(hub.ctx, secrets[0])
    assert first is not None
    assert first.token is not None
    await revoke_token(hub.ctx, ada, "ada", f"a{first.token.id}")
    assert [await caller_of_token(hub.ctx, secret) for secret in secrets] == [None, None]
    assert await caller_of_token(hub.ctx, own) is not None


async def test_tokens_of_others_are_none_of_ones_business(hub: TrialHub) -> None:
    root, ada = await hub.find("root"), await hub.find("ada")
    theirs = await issue_token(hub.ctx, root, "root")
    for attempt in (
        list_tokens(hub.ctx, ada, "root"),
        revoke_token(hub.ctx, ada, "root", f"a{theirs.token.id}"),
        revoke_token(hub.ctx, ada, "ada", f"a{theirs.token.id}"),
    ):
        with pytest.raises(NotFound):
            await attempt
    with pytest.raises(Forbidden, match="User root not found or no permissions"):
        await issue_token(hub.ctx, ada, "root")
    assert await caller_of_token(hub.ctx, theirs.secret) is not None


async def test_without_the_scope_it_is_forbidden(hub: TrialHub) -> None:
    weak = hub.caller_of((await hub.find("ada")).user, "read:servers!user")
    with pytest.raises(Forbidden, match="tokens"):
        await issue_token(hub.ctx, weak, "ada")


@pytest.mark.parametrize("scopes", [("inherit",), ("servers!user",), ("admin:users",)])
async def test_a_token_gives_nothing_that_its_maker_lacks(hub: TrialHub, scopes: tuple[str, ...]) -> None:
    keeper = hub.caller_of((await hub.find("ada")).user, "tokens", "read:users:name")
    with pytest.raises(Invalid, match="the caller does not have"):
        await issue_token(hub.ctx, keeper, "root", scopes=scopes)
    made = await issue_token(hub.ctx, keeper, "root", scopes=("read:users:name!user",))
    assert made.scopes.covers("read:users:name!user=root")


async def test_nobody_can_make_tokens_for_nobody(hub: TrialHub) -> None:
    with pytest.raises(Forbidden, match="User ghost not found or no permissions"):
        await issue_token(hub.ctx, await hub.find("root"), "ghost")


async def test_the_longest_lifetime_is_the_usual_one_too() -> None:
    async with open_test_hub(token_expires_in_max_seconds=3600) as hub:
        ada = await hub.make_user("ada")
        made = await issue_token(hub.ctx, ada, "ada")
        assert made.token.expires == hub.clock.now() + 3600
        assert (await issue_token(hub.ctx, ada, "ada", expires_in=60)).token.expires == hub.clock.now() + 60
        with pytest.raises(Invalid, match="must not exceed 3600"):
            await issue_token(hub.ctx, ada, "ada", expires_in=3601)
