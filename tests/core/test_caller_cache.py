"""The cache never answers with what has been taken away."""

from __future__ import annotations

from dataclasses import replace

from carrel.core.access import caller_of_token
from carrel.core.cache import CallerCache
from carrel.core.caller import Caller
from carrel.domain.events import (
    ClientEnded,
    EventsMissed,
    GroupChanged,
    RightsChanged,
    RolesChanged,
    ServerChanged,
)
from carrel.domain.tokens import Token
from carrel.testing.factories import NOW, a_caller, a_user
from carrel.testing.hub import TrialHub


def _visitor(user_id: int, client_id: str) -> Caller:
    user = a_user(f"user{user_id}", id=user_id)
    return replace(
        a_caller(user), token=Token(user_id, user_id, user.name, "", "", (), NOW, client_id=client_id)
    )


def test_a_caller_is_kept_until_it_expires() -> None:
    cache = CallerCache()
    ada = a_caller(a_user())
    cache.put("x", ada, NOW + 10, cache.epoch)
    assert cache.get("x", NOW) is ada
    assert cache.get("x", NOW + 10) is None
    assert cache.get("x", NOW) is None


def test_a_change_of_rights_drops_that_user_alone() -> None:
    cache = CallerCache()
    for number in (1, 2):
        cache.put(f"x{number}", a_caller(a_user(id=number)), None, cache.epoch)
    cache.heed(ServerChanged(1, "ada", ""))
    assert cache.get("x1", NOW) is not None
    cache.heed(RightsChanged(1))
    assert cache.get("x1", NOW) is None
    assert cache.get("x2", NOW) is not None


def test_a_look_up_from_before_a_change_is_not_kept() -> None:
    cache = CallerCache()
    epoch = cache.epoch
    cache.heed(RightsChanged(1))
    cache.put("x", a_caller(a_user()), None, epoch)
    assert cache.get("x", NOW) is None


def test_the_end_of_a_client_drops_all_its_visitors() -> None:
    cache = CallerCache()
    for number, client in ((1, "one"), (2, "one"), (3, "other")):
        cache.put(f"x{number}", _visitor(number, client), None, cache.epoch)
    cache.heed(ClientEnded("one"))
    assert [cache.get(f"x{number}", NOW) is None for number in (1, 2, 3)] == [True, True, False]


def test_a_change_of_a_group_drops_who_depends_on_its_members() -> None:
    cache = CallerCache()
    for number, watches in ((1, {"one", "two"}), (2, {"two"}), (3, set[str]())):
        caller = replace(a_caller(a_user(id=number)), watches=frozenset(watches))
        cache.put(f"x{number}", caller, None, cache.epoch)
    cache.heed(GroupChanged("one"))
    assert [cache.get(f"x{number}", NOW) is None for number in (1, 2, 3)] == [True, False, False]
    cache.heed(RolesChanged())
    assert [cache.get(f"x{number}", NOW) is None for number in (1, 2, 3)] == [True, True, True]


def test_a_change_of_an_owners_rights_drops_those_with_whom_they_share() -> None:
    cache = CallerCache()
    for number, owners in ((2, {1}), (3, {1, 2}), (4, set[int]())):
        caller = replace(a_caller(a_user(id=number)), owners=frozenset(owners))
        cache.put(f"x{number}", caller, None, cache.epoch)
    cache.heed(RightsChanged(1))
    assert [cache.get(f"x{number}", NOW) is None for number in (2, 3, 4)] == [True, True, False]


def test_it_is_bounded() -> None:
    cache = CallerCache()
    ada = a_caller(a_user())
    for number in range(20_001):
        cache.put(f"x{number}", ada, None, cache.epoch)
    assert cache.get("x0", NOW) is None
    assert cache.get("x20000", NOW) is ada


async def test_a_token_revoked_during_its_look_up_is_not_kept(hub: TrialHub) -> None:
    ada = await hub.find("ada")
    secret = await hub.token_of(ada.user)
    real, read = hub.store, hub.store.read

    def revoke_meanwhile() -> object:
        hub.ctx.bus.publish(RightsChanged(ada.user.id))
        return read()

    real.read = revoke_meanwhile  # type: ignore[assignment,method-assign]
    assert await caller_of_token(hub.ctx, secret) is not None
    async with hub.ctx.store.write() as tx:
        for token in await tx.tokens.of_user(ada.user.id):
            await tx.tokens.delete(token.id)
    assert await caller_of_token(hub.ctx, secret) is None


async def test_a_visitors_token_ends_with_the_server(hub: TrialHub) -> None:
    root = await hub.find("root")
    await hub.start("ada")
    secret = await hub.token_of(root.user, "access:servers!server=ada/", client_id="jupyterhub-user-ada")
    assert await caller_of_token(hub.ctx, secret) is not None
    await hub.stop("ada")
    assert await caller_of_token(hub.ctx, secret) is None


def test_where_other_hubs_change_rights_nothing_is_returned_without_a_fresh_proof() -> None:
    now = 100.0
    cache = CallerCache(lambda: now)
    cache.put("x", a_caller(a_user()), None, cache.epoch)
    assert cache.get("x", NOW) is None
    cache.prove(100.0)
    assert cache.get("x", NOW) is not None
    now = 100.9
    assert cache.get("x", NOW) is not None
    # A hub that was paused wakes with an old proof.
    now = 112.0
    assert cache.get("x", NOW) is None
    cache.prove(112.0)
    assert cache.get("x", NOW) is not None
    cache.prove(None)
    assert cache.get("x", NOW) is None


def test_when_events_were_missed_everything_goes_and_what_is_being_looked_up_too() -> None:
    cache = CallerCache()
    epoch = cache.epoch
    cache.put("x", a_caller(a_user()), None, epoch)
    cache.servers.put(1, (), 0.0, cache.servers.epoch)
    cache.heed(EventsMissed())
    assert cache.get("x", NOW) is None
    assert cache.servers.get(1, 0.0) is None
    cache.put("x", a_caller(a_user()), None, epoch)
    assert cache.get("x", NOW) is None
