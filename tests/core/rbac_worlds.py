"""Random worlds of users, groups, roles and tokens, as a model and as a hub that was set up the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hypothesis import strategies as st

from carrel.domain.roles import Role
from carrel.domain.shares import Receiver
from carrel.storage.base import Transaction
from carrel.testing.hub import TrialHub, open_test_hub
from tests.core.rbac_model import Gift, World

USERS = ("ada", "bea", "eve", "root")
GROUPS = ("one", "two")
ROLES = ("role-a", "role-b", "role-c")
_FOR_USERS = (
    "admin:users", "users", "list:users", "read:users", "read:users:name", "read:users:groups", "tokens",
    "read:users:activity", "read:roles:users", "delete:users", "servers", "read:servers", "read:tokens",
    "admin:servers", "access:servers", "users:activity", "shares", "read:shares", "users:shares",
    "read:users:shares",
)  # fmt: skip
_FOR_GROUPS = ("admin:groups", "groups", "list:groups", "read:groups", "read:groups:name", "delete:groups",
               "read:roles:groups", "groups:shares", "read:groups:shares")  # fmt: skip
_OWN = [f"{name}!user" for name in _FOR_USERS]
_BY_GROUP = [f"{name}!group={group}" for name in (*_FOR_USERS, *_FOR_GROUPS) for group in GROUPS]
_BY_USER = [f"{name}!user={user}" for name in _FOR_USERS for user in USERS]
#: A service that roles wait for.
SERVICE = "board"
#: What one server can be shared with.
SHARED = ("access:servers", "servers", "read:servers", "admin:servers", "shares", "users")
_BY_SERVER = [f"{name}!server={user}/" for name in ("servers", "read:servers", "shares") for user in USERS]
_PLAIN = [*_FOR_USERS, *_FOR_GROUPS, "read:roles", "read:hub", "self"]

#: Scopes as somebody writes them.
written = st.one_of(*map(st.sampled_from, (_PLAIN, _OWN, _BY_GROUP, _BY_USER, _BY_SERVER)))
#: The same without names of users, who may be renamed.
nameless = st.one_of(*map(st.sampled_from, (_PLAIN, _OWN, _BY_GROUP)))


_receivers = st.one_of(*map(st.sampled_from, ([("user", u) for u in USERS], [("group", g) for g in GROUPS])))
_scopes_shared = st.lists(st.sampled_from(SHARED), min_size=1, max_size=2, unique=True)
gifts = st.builds(
    lambda owner, receiver, scopes: Gift(owner, receiver[0], receiver[1], tuple(scopes)),
    st.sampled_from(USERS),
    _receivers,
    _scopes_shared,
)


@st.composite
def worlds(draw: st.DrawFn, scopes: st.SearchStrategy[str] = written) -> World:
    """Return a world in which root is the admin."""
    world = World()
    world.admins = {"root"}
    some_users = st.sets(st.sampled_from(USERS))
    some_roles = st.sets(st.sampled_from(ROLES), max_size=2)
    world.members = {group: draw(some_users) for group in GROUPS}
    world.roles = {role: draw(st.lists(scopes, max_size=3)) for role in ROLES}
    world.of_user = {user: draw(some_roles) for user in USERS}
    world.of_group = {group: draw(some_roles) for group in GROUPS}
    world.waiting = draw(some_roles)
    # One for each owner and receiver, as in the database.
    found = draw(st.lists(gifts, max_size=3))
    world.gifts = list({(gift.owner, gift.kind, gift.receiver): gift for gift in found}.values())
    return world


async def _share(tx: Transaction, world: World, now: float) -> None:
    users = {user.name: user.id for user in await tx.users.named(USERS)}
    for gift in world.gifts:
        [server] = await tx.servers.of_users([users[gift.owner]])
        if gift.kind == "user":
            receiver = Receiver("user", users[gift.receiver], gift.receiver)
        else:
            group = await tx.groups.get(gift.receiver)
            assert group is not None
            receiver = Receiver("group", group.id, group.name)
        await tx.shares.put(server.id, receiver, gift.scopes, now=now)


@asynccontextmanager
async def open_world(world: World) -> AsyncIterator[TrialHub]:
    """Yield a hub with all that is in `world`; nobody's server runs."""
    async with open_test_hub(work=False, slow_spawn_timeout=0.0, slow_stop_timeout=0.0) as hub:
        callers = {name: await hub.make_user(name, admin=name in world.admins) for name in USERS}
        for group, members in world.members.items():
            await hub.make_group(group, *members)
        async with hub.ctx.store.write() as tx:
            for name, scopes in world.roles.items():
                role_id = await tx.roles.put(Role(name, "", tuple(scopes)))
                users = [callers[user].user.id for user in USERS if name in world.of_user[user]]
                await tx.roles.grant(role_id, users)
                await tx.roles.give(role_id, "groups", [g for g in GROUPS if name in world.of_group[g]])
                await tx.roles.give(role_id, "services", [SERVICE] if name in world.waiting else [])
            for caller in callers.values():
                await tx.servers.create(caller.user.id, "", now=hub.clock.now())
            await _share(tx, world, hub.clock.now())
        yield hub
