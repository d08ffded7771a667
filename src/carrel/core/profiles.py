"""Profiles: what a user may choose before a start, and what the choice in a server's row comes to."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.runs import Owner, build_driver, load_owner, user_view
from carrel.domain.errors import Invalid, NotFound, Unavailable
from carrel.domain.profile_options import Overrides
from carrel.domain.profiles import PROFILE, Profile, Selection, select
from carrel.domain.servers import Server, never_started
from carrel.lib.awaiting import resolve_within
from carrel.lib.registry import name_of

#: How long the deployer's function for profiles may take, in seconds.
_CALL_LIMIT = 30.0
_log = logging.getLogger("carrel.core")


async def list_profiles(ctx: HubContext, caller: Caller, user_name: str) -> Sequence[Profile]:
    """Return the profiles that a user may choose, in order; empty where the hub has none.

    Raises NotFound when there is no such user or the caller may not start their servers.
    """
    caller.require("start:servers", user=user_name)
    return await open_profiles(ctx, await _owner(ctx, user_name))


async def open_profiles(ctx: HubContext, owner: Owner) -> Sequence[Profile]:
    """Return the profiles that a user may choose, in order, for the hub's own use.

    Raises Unavailable when the deployer's function for them fails.
    """
    profiles = await _profiles_for(ctx, owner)
    return [profile for profile in profiles if profile.is_open_to(owner.user.name, owner.groups)]


async def check_choice(
    ctx: HubContext, user_name: str, server_name: str, options: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Return the options of a start as the server's row keeps them, after a check of each.

    None means those of the last time. A hub without profiles takes any. Raises Invalid, with the field's
    name, for what this user may not choose, and NotFound when there is no such user.
    """
    if not ctx.profiles.in_use:
        return options
    owner = await _owner(ctx, user_name)
    if options is None:
        async with ctx.store.read() as tx:
            server = await tx.servers.get(owner.user.id, server_name)
        options = last_choice(server)
    return select(await open_profiles(ctx, owner), options).user_options


async def with_choice(ctx: HubContext, server: Server) -> tuple[Server, Sequence[Overrides]]:
    """Return a server whose start begins, with its driver's class and its profile, and what that overrides.

    What was allowed when the start was asked for is looked at again. Raises as `check_choice` does.
    """
    if not ctx.profiles.in_use:
        return replace(server, spawner=name_of(ctx.spawner_class), profile=""), ()
    profiles = await open_profiles(ctx, await load_owner(ctx, server))
    chosen = select(profiles, last_choice(server))
    row = replace(
        server,
        spawner=chosen.profile.spawner or name_of(ctx.spawner_class),
        profile=chosen.profile.id,
        user_options=chosen.user_options,
    )
    return row, chosen.overrides


async def overrides_of(ctx: HubContext, server: Server, owner: Owner) -> Sequence[Overrides]:
    """Return what the profile in a server's row makes of the driver's settings, as far as it is there still.

    A server that runs goes on with what there is: who started it was allowed to.
    """
    if not server.profile or not ctx.profiles.in_use:
        return ()
    try:
        profiles = await _profiles_for(ctx, owner)
    except Unavailable as error:
        _log.warning("Server %d: the settings of its profile are left out: %s", server.id, error)
        return ()
    profile = next((each for each in profiles if each.id == server.profile), None)
    if profile is None or server.spawner not in ("", profile.spawner):
        return ()
    try:
        chosen: Selection = select([profile], server.user_options)
    except Invalid:
        return (profile.overrides,)
    return chosen.overrides


def last_choice(server: Server | None) -> Mapping[str, Any]:
    """Return what was chosen for a server the last time, empty where nothing was."""
    options = server.user_options if server is not None else {}
    # Options from before there were profiles are none of theirs.
    return options if PROFILE in options else {}


async def _profiles_for(ctx: HubContext, owner: Owner) -> Sequence[Profile]:
    source = ctx.profiles
    if source.ask is None:
        return source.fixed
    try:
        asked: Any = user_view(ctx, owner.user, owner.groups)
        if source.asks_spawner:
            asked = build_driver(ctx, never_started(owner.user), owner)
        answer = await resolve_within(source.ask(asked), _CALL_LIMIT)
        profiles, faults = source.read(answer)
    except Exception as error:
        _log.exception("%s failed for %s", source.setting, owner.user.name)
        text = str(error).strip() or type(error).__name__
        raise Unavailable(f"The profiles cannot be shown: {source.setting}: {text}") from error
    for text, fatal in faults:
        level = logging.ERROR if fatal else logging.WARNING
        _log.log(level, "%s for %s: %s", source.setting, owner.user.name, text)
    return profiles


async def _owner(ctx: HubContext, user_name: str) -> Owner:
    async with ctx.store.read() as tx:
        user = await tx.users.get(user_name)
        if user is None:
            raise NotFound
        return Owner(user, await tx.groups.of_user(user.id))
