"""Servers at rest: made without a start, renamed, given other options, removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from carrel.core.access import caller_of_token
from carrel.core.server_records import ServerChanges, change_server, create_server, rename_old_servers
from carrel.core.servers import ask_to_start, ask_to_stop, get_server, wait_until_settled
from carrel.core.shares import ShareRequest, share_server
from carrel.core.users import delete_user, get_self
from carrel.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from carrel.domain.names import client_id
from carrel.domain.servers import Server
from carrel.storage.base import StorageUnavailable, Transaction
from carrel.testing.hub import TrialHub, open_test_hub


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    """A running hub with named servers, ada, and root, who is an admin."""
    async with open_test_hub(allow_named_servers=True, named_server_limit_per_user=3) as hub:
        await hub.make_user("ada")
        await hub.make_user("root", admin=True)
        yield hub


async def _make(hub: TrialHub, name: str = "lab", **details: Any) -> Server:
    return await create_server(hub.ctx, await hub.find("ada"), "ada", name, **details)


async def _change(hub: TrialHub, which: str, /, **changes: Any) -> Server:
    return await change_server(hub.ctx, await hub.find("ada"), "ada", which, ServerChanges(**changes))


async def _start(hub: TrialHub, name: str) -> Server:
    ada = await hub.find("ada")
    row = await ask_to_start(hub.ctx, ada, "ada", name)
    settled = await wait_until_settled(hub.ctx, row, 10)
    assert settled is not None
    assert settled.ready
    return settled


async def _stop(hub: TrialHub, name: str, *, remove: bool = False) -> Server | None:
    row = await ask_to_stop(hub.ctx, await hub.find("ada"), "ada", name, remove=remove)
    assert row is not None
    return await wait_until_settled(hub.ctx, row, 10)


async def test_one_is_made_without_a_start(hub: TrialHub) -> None:
    made = await _make(hub, options={"size": 1})
    await hub.clock.settle()
    assert await get_server(hub.ctx, await hub.find("ada"), "ada", "lab") == made
    assert (made.display_name, made.user_options, made.active) == ("lab", {"size": 1}, False)
    assert hub.world.calls == []
    assert (await _make(hub, "gpu", display_name="The GPU")).display_name == "The GPU"


async def test_what_is_not_made(hub: TrialHub) -> None:
    await _make(hub)
    for name, error, text in (
        ("lab", Conflict, "User ada already has server lab"),
        ("", Conflict, "User ada already has a default server"),
        ("Not A Name", Invalid, "Invalid server_name: 'Not A Name'"),
    ):
        with pytest.raises(error, match=text):
            await _make(hub, name)
    with pytest.raises(Invalid, match="Invalid display_name"):
        await _make(hub, "gpu", display_name=" x")
    for name in ("one", "two"):
        await _make(hub, name)
    with pytest.raises(Invalid, match="maximum of 3 named servers"):
        await _make(hub, "three")
    with pytest.raises(NotFound):
        await create_server(hub.ctx, await hub.find("root"), "nobody", "lab")


async def test_where_there_are_no_named_servers() -> None:
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.stop()
        for refused in (
            _make(hub),
            _start(hub, "lab"),
            _stop(hub, "lab"),
            _change(hub, "", name="lab"),
            _change(hub, "", display_name="Mine"),
        ):
            with pytest.raises(Invalid, match=r"Named servers are not enabled\."):
                await refused
        assert (await _change(hub, "", user_options={"a": 1})).user_options == {"a": 1}


async def test_a_renamed_server_is_the_same_one(hub: TrialHub) -> None:
    await _make(hub, options={"size": 1}, display_name="Mine")
    ran = await _start(hub, "lab")
    await _stop(hub, "lab")
    renamed = await _change(hub, "lab", name="gpu")
    assert (renamed.id, renamed.name, renamed.display_name) == (ran.id, "gpu", "Mine")
    with pytest.raises(NotFound):
        await get_server(hub.ctx, await hub.find("ada"), "ada", "lab")
    again = await _start(hub, "gpu")
    assert (again.id, again.generation, again.user_options) == (ran.id, ran.generation + 1, {"size": 1})
    assert hub.proxy.specs() == {"/user/ada/gpu/"}
    env = hub.world.servers[again.id, again.generation].env
    assert env["JUPYTERHUB_SERVER_NAME"] == "gpu"
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/user/ada/gpu/"
    assert env["JUPYTERHUB_CLIENT_ID"] == client_id("ada", "gpu")


async def test_nothing_of_the_old_name_is_left(hub: TrialHub) -> None:
    ran = await _start(hub, "lab")
    secret = hub.world.servers[ran.id, ran.generation].env["JUPYTERHUB_API_TOKEN"]
    assert await caller_of_token(hub.ctx, secret) is not None
    await _stop(hub, "lab")
    await _change(hub, "lab", name="gpu")
    assert await caller_of_token(hub.ctx, secret) is None
    assert hub.proxy.specs() == set()
    async with hub.ctx.store.read() as tx:
        for name in ("lab", "gpu"):
            assert await tx.oauth.get_client(client_id("ada", name)) is None
    # The caller's own record does not remember it either.
    record = await get_self(hub.ctx, await hub.find("ada"))
    assert [server.name for server in record.servers] == ["gpu"]


async def test_a_default_server_makes_room_for_another(hub: TrialHub) -> None:
    first = await hub.start()
    await hub.stop()
    renamed = await _change(hub, "", name="old", display_name="The old one")
    assert (renamed.id, renamed.display_name) == (first.id, "The old one")
    second = await hub.start()
    assert second.id != first.id
    await hub.stop()
    await _make(hub, "one")
    await _make(hub, "two")
    with pytest.raises(Invalid, match="maximum of 3 named servers"):
        await _change(hub, "", name="three")
    # One that has a name already needs no room.
    assert (await _change(hub, "one", name="three")).name == "three"


async def test_a_default_server_is_there_before_its_first_run(hub: TrialHub) -> None:
    changed = await _change(hub, "", user_options={"a": 1})
    assert (changed.name, changed.user_options) == ("", {"a": 1})
    assert (await hub.start()).id == changed.id
    assert (await hub.server()).user_options == {"a": 1}


async def test_what_is_not_changed(hub: TrialHub) -> None:
    await _make(hub)
    await _make(hub, "gpu")
    refusals: tuple[tuple[dict[str, Any], type[Exception], str], ...] = (
        ({"name": "gpu"}, Conflict, "User ada already has server 'gpu'"),
        ({"name": "lab"}, Conflict, "User ada already has server 'lab'"),
        ({"name": "No"}, Invalid, "Invalid server_name"),
        ({"name": ""}, Conflict, "already has server ''"),
        ({"display_name": "a\nb"}, Invalid, "Invalid display_name"),
        ({}, Invalid, "at least one field"),
    )
    for changes, error, text in refusals:
        with pytest.raises(error, match=text):
            await _change(hub, "lab", **changes)
    with pytest.raises(NotFound, match="User ada has no such server none"):
        await _change(hub, "none", user_options={})
    await _start(hub, "lab")
    wishes: tuple[dict[str, Any], ...] = ({"name": "new"}, {"user_options": {}}, {"display_name": "New"})
    for changes in wishes:
        with pytest.raises(Invalid, match="ada:lab is active"):
            await _change(hub, "lab", **changes)


async def test_all_changes_or_none(hub: TrialHub) -> None:
    made = await _make(hub)
    await _make(hub, "gpu")
    with pytest.raises(Conflict):
        await _change(hub, "lab", name="gpu", user_options={"a": 1}, display_name="Other")
    assert await hub.reload(made) == made


async def test_a_name_takes_the_right_to_it(hub: TrialHub) -> None:
    await _make(hub)
    bea = (await hub.make_user("bea")).user
    only = hub.caller_of(bea, "start:servers!server=ada/lab")
    with pytest.raises(NotFound):
        await change_server(hub.ctx, only, "ada", "lab", ServerChanges(name="gpu"))
    changed = await change_server(hub.ctx, only, "ada", "lab", ServerChanges(user_options={"a": 1}))
    assert changed.user_options == {"a": 1}
    with pytest.raises(Forbidden):
        await change_server(hub.ctx, hub.caller_of(bea, "read:servers"), "ada", "lab", ServerChanges())


async def test_the_driver_hears_of_a_new_name_first(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str, str]] = []

    async def rename(spawner: Any, old: str, new: str) -> None:
        if new == "no":
            raise RuntimeError("the volume is mounted")
        if new == "slow":
            await asyncio.sleep(1000)
        heard.append((spawner.name, old, new))

    monkeypatch.setattr(hub.ctx.spawner_class, "rename", rename)
    await _make(hub)
    with pytest.raises(Conflict, match="the volume is mounted"):
        await _change(hub, "lab", name="no")
    slow = asyncio.create_task(_change(hub, "lab", name="slow"))
    await hub.clock.advance(60)
    with pytest.raises(Unavailable):
        await slow
    await _change(hub, "lab", name="gpu")
    await _change(hub, "gpu", display_name="Other")
    assert heard == [("lab", "lab", "gpu")]


async def test_a_start_that_comes_in_between_wins(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []

    async def rename(spawner: Any, old: str, new: str) -> None:
        if not heard:
            await ask_to_start(hub.ctx, await hub.find("ada"), "ada", "lab")
        heard.append((old, new))

    await _make(hub)
    monkeypatch.setattr(hub.ctx.spawner_class, "rename", rename)
    with pytest.raises(Conflict, match="try again"):
        await _change(hub, "lab", name="gpu")
    # The driver has it under its old name again.
    assert heard == [("lab", "gpu"), ("gpu", "lab")]
    await hub.clock.settle()
    assert (await get_server(hub.ctx, await hub.find("ada"), "ada", "lab")).ready


class Lost:
    """A write whose commit is made or not, and whose answer is lost."""

    def __init__(self, hub: TrialHub, *, made: bool) -> None:
        self._write, self._made = hub.store.write, made

    @asynccontextmanager
    async def __call__(self, *, durable: bool = False) -> AsyncIterator[Transaction]:
        with suppress(_Undone):
            async with self._write(durable=durable) as tx:
                yield tx
                if not self._made:
                    raise _Undone
        raise StorageUnavailable("The connection was lost.")


class _Undone(Exception):
    pass


@pytest.mark.parametrize("made", [False, True])
async def test_a_driver_keeps_the_name_that_the_row_has_when_the_answer_was_lost(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    heard: list[tuple[str, str]] = []

    async def rename(spawner: Any, old: str, new: str) -> None:
        heard.append((old, new))

    server = await _make(hub)
    monkeypatch.setattr(hub.ctx.spawner_class, "rename", rename)
    monkeypatch.setattr(hub.store, "write", Lost(hub, made=made))
    with pytest.raises(StorageUnavailable):
        await _change(hub, "lab", name="gpu")
    after = await hub.reload(server)
    assert after is not None
    assert after.name == heard[-1][1] == ("gpu" if made else "lab")


@pytest.mark.parametrize("running", [False, True])
async def test_a_removed_server_is_gone_for_good(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch, running: bool
) -> None:
    forgotten: list[str] = []

    async def delete_forever(spawner: Any) -> None:
        forgotten.append(spawner.name)

    monkeypatch.setattr(hub.ctx.spawner_class, "delete_forever", delete_forever)
    await _make(hub)
    if running:
        await _start(hub, "lab")
    assert await _stop(hub, "lab", remove=True) is None
    assert forgotten == ["lab"]
    assert hub.world.alive() == set()
    with pytest.raises(NotFound, match="ada has no server named 'lab'"):
        await _stop(hub, "lab", remove=True)
    assert (await _make(hub)).generation == 0


async def test_what_is_being_removed_is_not_started(hub: TrialHub) -> None:
    await _start(hub, "lab")
    hub.world.script.stop_delay = 50
    await ask_to_stop(hub.ctx, await hub.find("ada"), "ada", "lab", remove=True)
    with pytest.raises(Invalid, match="ada:lab is being deleted"):
        await ask_to_start(hub.ctx, await hub.find("ada"), "ada", "lab")
    with pytest.raises(Conflict):
        await _make(hub)
    with pytest.raises(Invalid, match="Cannot delete the default server"):
        await ask_to_stop(hub.ctx, await hub.find("ada"), "ada", remove=True)


async def test_servers_go_with_their_user(hub: TrialHub, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[str] = []

    async def delete_forever(spawner: Any) -> None:
        forgotten.append(spawner.name)

    monkeypatch.setattr(hub.ctx.spawner_class, "delete_forever", delete_forever)
    await hub.start()
    await _start(hub, "lab")
    await _make(hub, "gpu")
    await delete_user(hub.ctx, await hub.find("root"), "ada")
    assert sorted(forgotten) == ["", "gpu", "lab"]
    assert hub.world.alive() == set()
    assert hub.proxy.specs() == set()


@pytest.mark.parametrize("policy", ["allow-start", "allow-delete"])
async def test_old_names_stay_usable(policy: str) -> None:
    async with open_test_hub(allow_named_servers=True, allow_existing_invalid_named_servers=policy) as hub:
        ada = await hub.make_user("ada")
        async with hub.ctx.store.write() as tx:
            await tx.servers.create(ada.user.id, "Old Name (2)", now=hub.clock.now())
        if policy == "allow-start":
            assert (await _start(hub, "Old Name (2)")).ready
            assert hub.proxy.specs() == {"/user/ada/Old%20Name%20%282%29/"}
        else:
            with pytest.raises(Invalid, match="Starting invalid server_name"):
                await _start(hub, "Old Name (2)")
        await _stop(hub, "Old Name (2)")
        assert (await _change(hub, "Old Name (2)", name="new")).name == "new"


async def test_old_names_become_new_ones_where_nothing_runs() -> None:
    async with open_test_hub(allow_named_servers=True) as hub:
        ada = await hub.make_user("ada")
        await hub.make_user("bea")
        async with hub.ctx.store.write() as tx:
            for name in ("Old Name", "old  name", "RUNS", "good"):
                await tx.servers.create(ada.user.id, name, now=hub.clock.now())
        await _start(hub, "RUNS")
        assert await rename_old_servers(hub.ctx) == 2
        async with hub.ctx.store.read() as tx:
            found = {each.name: each.display_name for each in await tx.servers.of_users([ada.user.id])}
        assert found.pop("old-name") == "Old Name"
        assert {name: found[name] for name in ("RUNS", "good")} == {"RUNS": "", "good": ""}
        (second,) = found.keys() - {"RUNS", "good"}
        assert second.startswith("old-name-")
        assert found[second] == "old name"
        await _stop(hub, "RUNS")
        assert await rename_old_servers(hub.ctx) == 1
        assert await rename_old_servers(hub.ctx) == 0


async def test_shares_follow_the_server_and_leave_its_name(hub: TrialHub) -> None:
    bea = await hub.make_user("bea")
    secret = await hub.token_of(bea.user)
    await _make(hub)
    await share_server(hub.ctx, await hub.find("root"), "ada", "lab", ShareRequest(user="bea"))

    async def opens(name: str) -> bool:
        caller = await caller_of_token(hub.ctx, secret)
        assert caller is not None
        return caller.may("access:servers", server=f"ada/{name}")

    assert (await opens("lab"), await opens("gpu")) == (True, False)
    await _change(hub, "lab", name="gpu")
    assert (await opens("lab"), await opens("gpu")) == (False, True)
    # Another server under the old name is nobody else's.
    await _make(hub)
    assert not await opens("lab")
