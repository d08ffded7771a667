"""What authenticators keep about users: who writes it, who sees it, and that it is unreadable at rest."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from carrel.core.auth_state import load_auth_state
from carrel.core.login import keep_identity, open_session
from carrel.core.users import UserChanges, change_user, get_user, list_users
from carrel.domain.errors import Invalid, Unavailable
from carrel.domain.identity import Identity
from carrel.domain.paging import PageRequest
from carrel.domain.users import User
from carrel.lib.sealing import Sealer
from carrel.storage.users import UserFilter
from carrel.testing.hub import TrialHub, open_test_hub

STATE = {"access_token": "s3cret"}


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A running hub with a key, ada, and root, who is an admin."""
    async with open_test_hub(plugins={"Authenticator": {"enable_auth_state": True}}) as hub:
        hub.ctx = replace(hub.ctx, sealer=Sealer([bytes(32)]))
        await hub.make_user("ada")
        await hub.make_user("root", admin=True)
        yield hub


async def _stored(hub: TrialHub, user: User) -> str | None:
    async with hub.ctx.store.read() as tx:
        return await tx.users.get_auth_state(user.id)


async def test_it_comes_with_the_log_in_and_goes_with_one_without(hub: TrialHub) -> None:
    ada = (await hub.find("ada")).user
    await open_session(hub.ctx, Identity("ada", auth_state=STATE))
    stored = await _stored(hub, ada)
    assert stored is not None
    assert "s3cret" not in stored
    assert await load_auth_state(hub.ctx, ada) == STATE
    await open_session(hub.ctx, Identity("ada"))
    assert await _stored(hub, ada) is None


def _hook(authenticator: Any, model: dict[str, Any], existing: dict[str, Any] | None) -> dict[str, Any]:
    assert model["name"] == "ada"
    before = (existing or {}).get("count", 0)
    return {**(model["auth_state"] or {}), "count": before + 1}


async def _slow_hook(*given: Any) -> dict[str, Any]:
    return _hook(*given)


@pytest.mark.parametrize("hook", [_hook, _slow_hook])
async def test_the_hook_makes_it_of_the_old_and_the_new(hub: TrialHub, hook: Any) -> None:
    hub.ctx.authenticator.reconcile_auth_state_hook = hook
    ada = (await hub.find("ada")).user
    await open_session(hub.ctx, Identity("ada", auth_state=STATE))
    assert await load_auth_state(hub.ctx, ada) == STATE | {"count": 1}
    await open_session(hub.ctx, Identity("ada"))
    assert await load_auth_state(hub.ctx, ada) == {"count": 2}
    await keep_identity(hub.ctx, ada, Identity("ada", auth_state={"new": 1}))
    assert await load_auth_state(hub.ctx, ada) == {"new": 1, "count": 3}


async def test_a_hook_that_fails_changes_nothing_and_is_named(hub: TrialHub) -> None:
    await open_session(hub.ctx, Identity("ada", auth_state=STATE))
    hub.ctx.authenticator.reconcile_auth_state_hook = lambda *_: STATE["no s3cret"]
    with pytest.raises(Unavailable, match="reconcile_auth_state_hook failed") as caught:
        await open_session(hub.ctx, Identity("ada"))
    assert "s3cret" not in str(caught.value)
    assert await load_auth_state(hub.ctx, (await hub.find("ada")).user) == STATE


async def test_it_is_not_kept_unless_that_is_wanted() -> None:
    async with open_test_hub() as hub:
        hub.ctx = replace(hub.ctx, sealer=Sealer([bytes(32)]))
        login = await open_session(hub.ctx, Identity("ada", auth_state=STATE))
        assert await _stored(hub, login.user) is None


async def test_a_change_of_a_user_sets_it(hub: TrialHub) -> None:
    root = await hub.find("root")
    changed = await change_user(hub.ctx, root, "ada", UserChanges(auth_state=STATE))
    assert changed.auth_state == STATE
    assert (await get_user(hub.ctx, root, "ada")).auth_state == STATE
    await change_user(hub.ctx, root, "ada", UserChanges(admin=False))
    assert (await get_user(hub.ctx, root, "ada")).auth_state == STATE
    assert "s3cret" not in repr(changed)


async def test_who_may_see_it(hub: TrialHub) -> None:
    root, ada = await hub.find("root"), await hub.find("ada")
    await change_user(hub.ctx, root, "ada", UserChanges(auth_state=STATE))
    assert (await get_user(hub.ctx, ada, "ada")).auth_state is None
    for scopes, shown in (
        (["read:users"], None),
        (["read:users:name", "admin:auth_state"], STATE),
        (["admin:users"], STATE),
    ):
        caller = hub.caller_of(root.user, *scopes)
        assert (await get_user(hub.ctx, caller, "ada")).auth_state == shown
    listed = await list_users(hub.ctx, root, UserFilter(), PageRequest())
    assert [item.auth_state for item in listed.items] == [None, None]


async def test_without_a_key_nothing_is_kept(hub: TrialHub) -> None:
    ctx, root = replace(hub.ctx, sealer=Sealer()), await hub.find("root")
    with pytest.raises(Invalid, match="JUPYTERHUB_CRYPT_KEY"):
        await change_user(ctx, root, "ada", UserChanges(auth_state=STATE, admin=True))
    assert not (await hub.find("ada")).user.admin


async def test_what_another_key_has_sealed_is_none(hub: TrialHub) -> None:
    ada, root = (await hub.find("ada")).user, await hub.find("root")
    await change_user(hub.ctx, root, "ada", UserChanges(auth_state=STATE))
    assert await load_auth_state(replace(hub.ctx, sealer=Sealer([bytes(range(32))])), ada) is None
    assert await load_auth_state(replace(hub.ctx, sealer=Sealer()), ada) is None


async def test_spawners_and_their_hook_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    plugins = {
        "FakeSpawner": {"auth_state_hook": lambda spawner, state: told.append((spawner.name, state))},
    }
    async with open_test_hub(plugins=plugins) as hub:
        object.__setattr__(hub.ctx, "sealer", Sealer([bytes(32)]))
        await hub.make_user("ada")
        root = await hub.make_user("root", admin=True)
        await hub.start()
        await hub.stop()
        await change_user(hub.ctx, root, "ada", UserChanges(auth_state=STATE))
        await hub.start()
    assert told == [("", None), ("", STATE)]


async def test_spawners_see_groups_and_group_overrides_go_by_them() -> None:
    overrides = {
        "2": {"groups": ["big"], "spawner_override": {"environment": {"SIZE": "big", "PLAIN": None}}},
        "1": {"groups": ["class"], "spawner_override": {"environment": {"PLAIN": "yes", "KEPT": "1"}}},
        "3": {"groups": ["other"], "spawner_override": {"environment": {"SIZE": "wrong"}}},
    }
    seen: list[Any] = []

    def note(spawner: Any) -> None:
        seen.append([group.name for group in spawner.user.groups])

    plugins = {"FakeSpawner": {"group_overrides": overrides, "pre_spawn_hook": note}}
    async with open_test_hub(plugins=plugins) as hub:
        await hub.make_user("ada")
        await hub.make_group("big", "ada")
        await hub.make_group("class", "ada")
        row = await hub.start()
        env = hub.world.servers[row.id, row.generation].env
    assert (env["SIZE"], env["KEPT"]) == ("big", "1")
    assert "PLAIN" not in env
    assert [sorted(groups) for groups in seen] == [["big", "class"]]
