"""What a share gives, to whom, and that it ends at once when anything it depends on does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from carrel.core.access import caller_of_token
from carrel.core.caller import Caller
from carrel.core.groups import add_members, delete_group, remove_members
from carrel.core.servers import change
from carrel.core.share_codes import accept_code, list_codes, look_at_code, make_code, revoke_codes
from carrel.core.shares import (
    ShareRequest,
    give_up_share_of_user,
    list_shares,
    share_server,
    shared_with_user,
    unshare_all,
    unshare_server,
)
from carrel.core.users import UserChanges, change_user, delete_user
from carrel.domain.errors import Forbidden, Invalid, NotFound
from carrel.domain.events import RightsChanged
from carrel.domain.paging import PageRequest
from carrel.domain.roles import USER, Role
from carrel.domain.transitions import ask_stop
from carrel.testing.hub import TrialHub

ACCESS = "access:servers!server=ada/"
TO_BEA, TO_CLASS = ShareRequest(user="bea"), ShareRequest(group="class")
PAGE = PageRequest()


async def shared(hub: TrialHub, request: ShareRequest = TO_BEA) -> Callable[[], Awaitable[Caller]]:
    """Share ada's server, and return what looks bea up by a token that was used before."""
    bea = await hub.make_user("bea")
    await hub.make_group("class", "bea")
    await hub.start("ada")
    secret = await hub.token_of(bea.user)

    async def look() -> Caller:
        caller = await caller_of_token(hub.ctx, secret)
        assert caller is not None
        return caller

    assert ACCESS not in (await look()).scopes.names
    await share_server(hub.ctx, await hub.find("root"), "ada", "", request)
    assert ACCESS in (await look()).scopes.names
    assert not (await look()).may("access:servers", user="ada")
    return look


@pytest.mark.parametrize("request_", [TO_BEA, TO_CLASS], ids=["user", "group"])
async def test_a_share_is_good_at_once_and_ends_at_once(hub: TrialHub, request_: ShareRequest) -> None:
    look = await shared(hub, request_)
    root = await hub.find("root")
    assert await unshare_server(hub.ctx, root, "ada", "", request_) is None
    assert ACCESS not in (await look()).scopes.names
    await share_server(hub.ctx, root, "ada", "", request_)
    assert ACCESS in (await look()).scopes.names
    await unshare_all(hub.ctx, root, "ada", "")
    assert ACCESS not in (await look()).scopes.names


async def test_who_receives_it_may_give_it_up(hub: TrialHub) -> None:
    look = await shared(hub)
    bea = await look()
    assert (await shared_with_user(hub.ctx, bea, "bea", PAGE)).total == 1
    await give_up_share_of_user(hub.ctx, bea, "bea", "ada", "")
    assert ACCESS not in (await look()).scopes.names


async def test_it_ends_with_the_owner_and_follows_their_name(hub: TrialHub) -> None:
    look = await shared(hub)
    await hub.stop("ada")
    root = await hub.find("root")
    await change_user(hub.ctx, root, "ada", UserChanges(name="ida"))
    assert "access:servers!server=ida/" in (await look()).scopes.names
    assert ACCESS not in (await look()).scopes.names
    await delete_user(hub.ctx, root, "ida")
    assert "access:servers!server=ida/" not in (await look()).scopes.names


async def test_it_ends_with_the_server(hub: TrialHub) -> None:
    bea = await hub.make_user("bea")
    ada, root = await hub.find("ada"), await hub.find("root")
    async with hub.ctx.store.write() as tx:
        server = await tx.servers.create(ada.user.id, "lab", now=hub.clock.now())
    await share_server(hub.ctx, root, "ada", "lab", TO_BEA)
    secret = await hub.token_of(bea.user)
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert caller.may("access:servers", server="ada/lab")
    await change(hub.ctx, server.id, partial(ask_stop, delete=True))
    await hub.clock.settle()
    assert await hub.reload(server) is None
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert not caller.may("access:servers", server="ada/lab")


async def test_a_share_with_a_group_follows_its_members(hub: TrialHub) -> None:
    look = await shared(hub, TO_CLASS)
    root = await hub.find("root")
    await remove_members(hub.ctx, root, "class", ["bea"])
    assert ACCESS not in (await look()).scopes.names
    await add_members(hub.ctx, root, "class", ["bea"])
    assert ACCESS in (await look()).scopes.names
    await delete_group(hub.ctx, root, "class")
    assert ACCESS not in (await look()).scopes.names


async def test_who_brings_somebody_into_a_group_needs_what_is_shared_with_it(hub: TrialHub) -> None:
    await shared(hub, TO_CLASS)
    tutor = (await hub.make_user("tina")).user
    await hub.make_user("eve")
    with pytest.raises(Forbidden, match="A share gives access:servers!server=ada/"):
        await add_members(hub.ctx, hub.caller_of(tutor, "groups!group=class"), "class", ["eve"])
    await add_members(hub.ctx, hub.caller_of(tutor, "groups!group=class", ACCESS), "class", ["eve"])


async def test_an_owner_who_loses_a_right_has_not_got_it_to_share(hub: TrialHub) -> None:
    look = await shared(hub, ShareRequest(user="bea", scopes=["servers", "access:servers"]))
    assert "delete:servers!server=ada/" in (await look()).scopes.names
    ada = await hub.find("ada")
    async with hub.ctx.store.write() as tx:
        await tx.roles.put(Role(USER.name, "", ("access:servers!user",)))
        tx.announce(RightsChanged(ada.user.id))
    assert "delete:servers!server=ada/" not in (await look()).scopes.names
    assert ACCESS in (await look()).scopes.names


async def test_nobody_shares_what_they_do_not_hold(hub: TrialHub) -> None:
    ada, bea = (await hub.find("ada")).user, (await hub.make_user("bea")).user
    knows_bea = "read:users:name!user=bea"
    with pytest.raises(Forbidden):
        await share_server(hub.ctx, hub.caller_of(ada, "self", knows_bea), "ada", "", TO_BEA)
    sharer = hub.caller_of(ada, "self", "shares!user", knows_bea)
    for scope in ("admin:servers", "users", "proxy", "inherit", "self", "admin:users!server=ada/"):
        with pytest.raises(Forbidden, match="Do not have permission"):
            await share_server(hub.ctx, sharer, "ada", "", ShareRequest(user="bea", scopes=[scope]))
    for scope in ("access:servers!user=ada", "access:servers!server=ada/lab", "access:servers!server", "x"):
        with pytest.raises(Invalid):
            await share_server(hub.ctx, sharer, "ada", "", ShareRequest(user="bea", scopes=[scope]))
    await share_server(hub.ctx, sharer, "ada", "", ShareRequest(user="bea", scopes=["servers", "shares"]))
    # Bea may pass on what she got, and no more.
    passer = hub.caller_of(bea, "shares!server=ada/", "servers!server=ada/", "read:users:name")
    await share_server(hub.ctx, passer, "ada", "", ShareRequest(user="root", scopes=["servers"]))
    with pytest.raises(Forbidden, match="read:users!server=ada/"):
        await share_server(hub.ctx, passer, "ada", "", ShareRequest(user="root", scopes=["read:users"]))
    with pytest.raises(NotFound):
        await share_server(hub.ctx, passer, "bea", "", ShareRequest(user="root"))


async def test_shares_add_up_and_are_taken_one_by_one(hub: TrialHub) -> None:
    look = await shared(hub)
    root = await hub.find("root")
    share = await share_server(hub.ctx, root, "ada", "", ShareRequest(user="bea", scopes=["read:servers"]))
    assert share.scopes == ("access:servers", "read:servers")
    left = await unshare_server(hub.ctx, root, "ada", "", ShareRequest(user="bea", scopes=[ACCESS]))
    assert left is not None
    assert left.scopes == ("read:servers",)
    assert ACCESS not in (await look()).scopes.names
    nothing = ShareRequest(user="ghost")
    assert await unshare_server(hub.ctx, root, "ada", "", nothing) is None
    assert (await list_shares(hub.ctx, root, "ada", None, PAGE)).total == 1


async def test_a_code_gives_until_it_expires_what_stays(hub: TrialHub) -> None:
    await hub.start("ada")
    root, bea = await hub.find("root"), await hub.make_user("bea")
    secret = await hub.token_of(bea.user)
    made = await make_code(hub.ctx, root, "ada", "", expires_in=60)
    assert (await look_at_code(hub.ctx, bea, made.secret)).server.owner == "ada"
    for _ in range(2):
        await accept_code(hub.ctx, bea, made.secret)
    [code] = (await list_codes(hub.ctx, root, "ada", None, PAGE)).items
    assert (code.exchange_count, code.last_exchanged) == (2, hub.clock.now())
    await hub.clock.advance(60)
    with pytest.raises(NotFound):
        await look_at_code(hub.ctx, bea, made.secret)
    with pytest.raises(Invalid):
        await accept_code(hub.ctx, bea, made.secret)
    assert (await list_codes(hub.ctx, root, "ada", "", PAGE)).total == 0
    caller = await caller_of_token(hub.ctx, secret)
    assert caller is not None
    assert ACCESS in caller.scopes.names


async def test_codes_that_cannot_be(hub: TrialHub) -> None:
    ada, root, bea = await hub.find("ada"), await hub.find("root"), await hub.make_user("bea")
    for seconds in (59, 525600 * 60 + 1):
        with pytest.raises(Invalid):
            await make_code(hub.ctx, root, "ada", "", expires_in=seconds)
    made = await make_code(hub.ctx, root, "ada", "")
    with pytest.raises(Forbidden):
        await look_at_code(hub.ctx, ada, made.secret)
    with pytest.raises(Invalid):
        await accept_code(hub.ctx, ada, made.secret)
    with pytest.raises(NotFound):
        await revoke_codes(hub.ctx, root, "root", "", secret=made.secret)
    for public_id in (f"sc_{made.record.id}x", "sc_", "sc_99", "1"):
        with pytest.raises(NotFound):
            await revoke_codes(hub.ctx, root, "ada", "", public_id=public_id)
    await revoke_codes(hub.ctx, root, "ada", "", public_id=f"sc_{made.record.id}")
    for secret in (made.secret, "", "x" * 10_000, "ü"):
        with pytest.raises(NotFound):
            await look_at_code(hub.ctx, bea, secret)


async def test_a_look_up_is_a_fixed_number_of_statements_however_many_share(hub: TrialHub) -> None:
    bea, root = await hub.make_user("bea"), await hub.find("root")
    seen: list[str] = []
    counts = []
    for name in ("ada", "cleo", "dora", "emma"):
        if name != "ada":
            await hub.make_user(name)
        await share_server(hub.ctx, root, name, "", TO_BEA)
        secret = await hub.token_of(bea.user)
        async with hub.store.read() as tx:
            connection = tx._link._connection  # type: ignore[attr-defined]
        connection.set_trace_callback(seen.append)
        caller = await caller_of_token(hub.ctx, secret)
        connection.set_trace_callback(None)
        assert caller is not None
        assert caller.may("access:servers", server=f"{name}/")
        counts.append(len([text for text in seen if text.startswith("SELECT")]))
        seen.clear()
    assert len(set(counts)) == 1, counts
