"""No sequence of calls gives anybody a scope that the caller did not have: neither them nor a confederate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrel.config.services import ServiceSetting
from carrel.core.access import caller_of_token, rights_of, towards
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.groups import add_members, create_groups, delete_group, remove_members, set_properties
from carrel.core.services import create_service
from carrel.core.share_codes import accept_code, make_code
from carrel.core.shares import ShareRequest, share_server
from carrel.core.tokens import NewToken, issue_token
from carrel.core.users import UserChanges, change_user, create_users, delete_user
from carrel.domain.errors import CarrelError
from carrel.domain.roles import scopes_of_user
from carrel.testing.factories import a_caller
from carrel.testing.hub import TrialHub
from tests.core.rbac_model import World
from tests.core.rbac_worlds import GROUPS, ROLES, SERVICE, SHARED, USERS, nameless, open_world, worlds

_NEW = ("new", "ada", "root", "fresh")
_names, _groups = st.sampled_from((*USERS, "new", "fresh")), st.sampled_from((*GROUPS, "three"))
_some_groups = st.lists(_groups, max_size=2, unique=True)
_shared = st.lists(st.sampled_from(SHARED), max_size=2)
#: Services that are not there at first; roles of the world may wait for the first one.
SERVICES = (SERVICE, "ada")
#: Which call, and what about.
steps = st.one_of(
    st.tuples(st.just("create group"), _groups, _names),
    st.tuples(st.just("add"), _groups, _names),
    st.tuples(st.just("remove"), _groups, _names),
    st.tuples(st.just("delete group"), _groups),
    st.tuples(st.just("properties"), _groups),
    st.tuples(st.just("create user"), _names, st.booleans()),
    st.tuples(st.just("delete user"), _names),
    st.tuples(
        st.just("change"),
        _names,
        st.builds(
            UserChanges,
            name=st.one_of(st.none(), st.sampled_from(_NEW)),
            admin=st.one_of(st.none(), st.booleans()),
            groups=st.one_of(st.none(), _some_groups),
            roles=st.one_of(st.none(), st.lists(st.sampled_from((*ROLES, "admin")), max_size=2)),
        ),
    ),
    st.tuples(
        st.just("token"), _names, st.one_of(st.none(), st.just(["inherit"]), st.lists(nameless, max_size=2))
    ),
    st.tuples(st.just("service"), st.sampled_from(SERVICES), st.booleans()),
)
#: The same where servers are shared, and people join groups with which they are.
sharing = st.one_of(
    st.tuples(st.just("share"), _names, _names, _shared),
    st.tuples(st.just("share with group"), _names, _groups, _shared),
    st.tuples(st.just("invite"), _names, _names, _shared),
    st.tuples(st.just("add"), _groups, _names),
    st.tuples(st.just("token"), _names, st.just(["inherit"])),
)
#: With one of these there is something to try.
mighty = st.sampled_from(
    (
        *("groups", "admin:groups", "admin:users", "admin:services", "tokens", "groups!group=one"),
        *("admin:users!group=one", "admin:services!service=board"),
    )
)
generous = st.sampled_from(("shares", "shares!group=one", "shares!server=ada/", "groups", "groups!group=one"))
some = settings(
    max_examples=40, deadline=None, report_multiple_bugs=False, suppress_health_check=list(HealthCheck)
)
Scope = tuple[str, str, Any]
"""A scope's name, its filter's kind, and its value with users by their ids, which no renaming changes."""


@some
@given(worlds(nameless), mighty, st.lists(nameless, max_size=2), st.lists(steps, min_size=2, max_size=8))
def test_nobody_gains_what_the_caller_did_not_have(
    world: World, first: str, more: list[str], calls: list[tuple[Any, ...]]
) -> None:
    asyncio.run(_play(world, [first, *more], calls))


@some
@given(worlds(nameless), generous, st.lists(nameless, max_size=1), st.lists(sharing, min_size=2, max_size=8))
def test_nobody_shares_what_they_do_not_have(
    world: World, first: str, more: list[str], calls: list[tuple[Any, ...]]
) -> None:
    asyncio.run(_play(world, [first, "read:users:name", *more], calls))


async def _play(world: World, scopes: list[str], calls: list[tuple[Any, ...]]) -> None:
    # Eve is no admin, and neither is she who holds a token of an admin's that may do less.
    for owner in ("eve", "root"):
        async with open_world(world) as hub:
            await _attack(hub, await hub.token_of((await hub.find(owner)).user, *scopes), calls)


async def _attack(hub: TrialHub, secret: str, calls: list[tuple[Any, ...]]) -> None:
    start = await caller_of_token(hub.ctx, secret)
    assert start is not None
    before = await _everybody(hub)
    had = await _by_id(hub, start.scopes.names)
    members = await _members(hub)
    secrets = [secret]
    for step in calls:
        for each in tuple(secrets):
            caller = await caller_of_token(hub.ctx, each)
            if caller is not None:
                secrets += await _call(hub, caller, step)
        for group, ids in (await _members(hub)).items():
            members.setdefault(group, set()).update(ids)
    for user_id, scopes in (await _everybody(hub)).items():
        own = before.get(user_id, _self(user_id))
        extra = [scope for scope in scopes if not _covered(scope, had | own, members)]
        assert not extra, (user_id, extra)
    for each in secrets:
        caller = await caller_of_token(hub.ctx, each)
        if caller is None:
            continue
        mine = () if caller.service else ("read:users:name", "read:users:groups")
        own = {(name, "user", caller.owner.id) for name in mine}
        got = await _by_id(hub, caller.scopes.names)
        extra = [scope for scope in got if not _covered(scope, had | own, members)]
        assert not extra, extra


async def _call(hub: TrialHub, caller: Caller, step: tuple[Any, ...]) -> list[str]:
    """Do what a step says and return the secrets that it brought."""
    what, target, *more = step
    try:
        done = await CALLS[what](hub.ctx, await towards(hub.ctx, caller, [target]), target, *more)
    except CarrelError:
        return []
    if what == "service":
        return [_secret_of(target)]
    return [done.secret] if isinstance(done, NewToken) else []


def _secret_of(service: str) -> str:
    return f"the-token-of-the-service-{service}"


async def _invite(ctx: HubContext, caller: Caller, owner: str, guest: str, scopes: list[str]) -> None:
    """Make a code and have somebody accept it."""
    made = await make_code(ctx, caller, owner, "", scopes)
    async with ctx.store.read() as tx:
        user = await tx.users.get(guest)
    if user is not None:
        await accept_code(ctx, a_caller(user), made.secret)


CALLS: Mapping[str, Callable[..., Awaitable[Any]]] = {
    "create group": lambda ctx, caller, group, user: create_groups(ctx, caller, [group], [user]),
    "add": lambda ctx, caller, group, user: add_members(ctx, caller, group, [user]),
    "remove": lambda ctx, caller, group, user: remove_members(ctx, caller, group, [user]),
    "delete group": delete_group,
    "properties": lambda ctx, caller, group: set_properties(ctx, caller, group, {}),
    "create user": lambda ctx, caller, user, admin: create_users(ctx, caller, [user], admin=admin),
    "delete user": delete_user,
    "change": change_user,
    "share": lambda ctx, caller, owner, user, scopes: share_server(
        ctx, caller, owner, "", ShareRequest(user=user, scopes=scopes)
    ),
    "share with group": lambda ctx, caller, owner, group, scopes: share_server(
        ctx, caller, owner, "", ShareRequest(group=group, scopes=scopes)
    ),
    "invite": _invite,
    "service": lambda ctx, caller, name, admin: create_service(
        ctx, caller, ServiceSetting(name, admin=admin, api_token=_secret_of(name))
    ),
    "token": lambda ctx, caller, user, scopes: issue_token(ctx, caller, user, scopes=scopes),
}


async def _everybody(hub: TrialHub) -> Mapping[int, set[Scope]]:
    found = {}
    async with hub.ctx.store.read() as tx:
        for user in await tx.users.named((*USERS, *_NEW)):
            held = await rights_of(hub.ctx, tx, user)
            found[user.id] = held.scopes.names
    return {user_id: await _by_id(hub, names) for user_id, names in found.items()}


async def _members(hub: TrialHub) -> dict[str, set[int]]:
    async with hub.ctx.store.read() as tx:
        groups = [await tx.groups.get(name) for name in (*GROUPS, "three")]
        return {group.name: set(await tx.groups.member_ids(group.id)) for group in groups if group}


async def _by_id(hub: TrialHub, scopes: Iterable[str]) -> set[Scope]:
    async with hub.ctx.store.read() as tx:
        ids = {user.name: user.id for user in await tx.users.named((*USERS, *_NEW))}
    found: set[Scope] = set()
    for text in scopes:
        name, _, condition = text.partition("!")
        kind, _, value = condition.partition("=")
        owner = value.partition("/")[0]
        found.add((name, kind, ids.get(owner, owner) if kind in ("user", "server") else value))
    return found


def _self(user_id: int) -> set[Scope]:
    """What a user has who was made on the way: what everybody has."""
    return {(scope.partition("!")[0], "user", user_id) for scope in scopes_of_user("new", False)}


def _covered(scope: Scope, held: set[Scope], members: Mapping[str, set[int]]) -> bool:
    """Tell whether a scope was held; one for a group counts for whoever was ever in it."""
    name, _, value = scope
    if {(name, "", ""), scope, (name, "user", value)} & held:
        return True
    return any(
        held_name == name and held_kind == "group" and value in members.get(group, ())
        for held_name, held_kind, group in held
    )
