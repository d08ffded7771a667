"""The driver of a server: a Spawner for each run, and one for each look at the form before it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from carrel.core.auth_state import load_auth_state
from carrel.core.context import HubContext
from carrel.domain.errors import CarrelError, Conflict, Invalid, NotFound, Unavailable
from carrel.domain.names import client_id, server_label
from carrel.domain.scopes import access_scopes
from carrel.domain.servers import Server, never_started
from carrel.domain.users import User
from carrel.lib.awaiting import TookTooLong, resolve_within
from carrel.spawners.base import Spawner
from carrel.spawners.run import Run, make_spawner, refresh_owner
from carrel.spawners.views import GroupView, UserView
from carrel.storage.base import Transaction

#: How long the deployer's functions for forms and pages may take, in seconds.
_CALL_LIMIT = 30.0
_log = logging.getLogger("carrel.core")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a server is, and the groups that they are in."""

    user: User
    groups: tuple[str, ...] = ()


async def driver_of(ctx: HubContext, server: Server) -> Spawner:
    """Return the driver of the run that `server` is in: the one that started it, where this process has it.

    Raises what `build_driver` raises, and NotFound when the row went with its owner.
    """
    owner = await load_owner(ctx, server)
    driver = ctx.live.get(server)
    if driver is None:
        driver = build_driver(ctx, server, owner)
        ctx.live.keep(server, driver)
    else:
        refresh_owner(driver, user_view(ctx, owner.user, owner.groups))
    return driver


def build_driver(ctx: HubContext, server: Server, owner: Owner) -> Spawner:
    """Return a new driver for `server`, with the checkpoint of its row loaded.

    Raises TraitError when the configuration has a value that the spawner does not take.
    """
    user = owner.user
    run = Run(
        user=user_view(ctx, owner.user, owner.groups),
        hub=ctx.hub,
        server_id=server.id,
        generation=server.generation,
        name=server.name,
        url=server.url,
        state=server.state,
        user_options=server.user_options,
        oauth_client_id=client_id(user.name, server.name),
        oauth_access_scopes=access_scopes(user.name, server.name),
        cookie_options=ctx.settings.tornado_settings.get("cookie_options", {}),
        cookie_host_prefix_enabled=ctx.settings.cookie_host_prefix_enabled,
        admin_access=ctx.settings.admin_access,
        authenticator=ctx.authenticator,
        log_directory=str(log_directory(ctx)),
    )
    return make_spawner(ctx.spawner_class, run, ctx.settings.plugins)


async def warm_up(ctx: HubContext) -> None:
    """Let the spawner get ready what starts will need; what goes wrong is logged."""
    if ctx.spawner_class.warm_up is Spawner.warm_up:
        return
    try:
        run = Run(user=UserView(0, "", ctx.settings.base_url), hub=ctx.hub, server_id=0, generation=0)
        await make_spawner(ctx.spawner_class, run, ctx.settings.plugins).warm_up()
    except Exception:
        _log.exception("The spawner's warm_up failed")


def user_view(ctx: HubContext, user: User, groups: Iterable[str]) -> UserView:
    """Return a user as drivers and authenticators see them."""
    return UserView(
        id=user.id,
        name=user.name,
        base_url=ctx.settings.base_url,
        host=ctx.hosts.of_user(user.name),
        admin=user.admin,
        groups=tuple(map(GroupView, groups)),
        load_auth_state=partial(load_auth_state, ctx, user),
        settings=ctx.settings.tornado_settings,
    )


async def options_form(ctx: HubContext, user: User, server_name: str = "") -> str:
    """Return the HTML of the form that a user fills in before a start; empty when there is none."""
    try:
        driver = await _formless(ctx, user, server_name)
        return str(await resolve_within(driver.get_options_form(), _CALL_LIMIT))
    except Exception as error:
        _log.exception("options_form failed for %s", user.name)
        raise Unavailable(
            f"The form for the options cannot be shown: options_form: {_said(error)}"
        ) from error


async def options_from_form(
    ctx: HubContext, user: User, form: Mapping[str, list[Any]], server_name: str = ""
) -> dict[str, Any]:
    """Return what a filled-in form stands for; raise Invalid with what the deployer's code says."""
    driver = await _formless(ctx, user, server_name)
    return await _read_options("options_from_form", lambda: driver.run_options_from_form(dict(form)))


async def options_from_query(
    ctx: HubContext, user: User, arguments: Mapping[str, list[Any]], server_name: str = ""
) -> dict[str, Any]:
    """Return what a link's arguments stand for, as `options_from_form` does for a form."""
    driver = await _formless(ctx, user, server_name)
    return await _read_options("options_from_query", lambda: driver.options_from_query(dict(arguments)))


async def _read_options(setting: str, read: Callable[[], Any]) -> dict[str, Any]:
    try:
        return dict(await resolve_within(read(), _CALL_LIMIT))
    except TookTooLong as error:
        raise Unavailable(f"The options cannot be read: {setting}: {_said(error)}") from error
    except CarrelError:
        raise
    except Exception as error:
        _log.info("%s refused: %s", setting, _said(error))
        raise Invalid(_said(error)) from error


async def ready_event(ctx: HubContext, server: Server, event: dict[str, Any]) -> dict[str, Any]:
    """Return the last step of a start as the deployer's `progress_ready_hook` leaves it."""
    try:
        driver = await driver_of(ctx, server)
        hook = driver.progress_ready_hook
        if hook is None:
            return event
        changed = await resolve_within(hook(driver, dict(event)), _CALL_LIMIT)
        if not isinstance(changed, dict):
            raise TypeError(f"it returned {type(changed).__name__} instead of the event")
        msgspec.json.encode(changed)
    except Exception:
        _log.exception("progress_ready_hook of %s failed; it changes nothing", server.user_name)
        return event
    return changed


async def rename_in_driver(ctx: HubContext, server: Server, name: str) -> None:
    """Tell the driver of a server at rest that it is about to be named `name`.

    Raises Conflict with what the driver says when it refuses, Unavailable when it takes too long.
    """
    if ctx.spawner_class.rename is Spawner.rename:
        return
    try:
        driver = build_driver(ctx, server, await load_owner(ctx, server))
        await resolve_within(driver.rename(server.name, name), _CALL_LIMIT)
    except TookTooLong as error:
        raise Unavailable(f"The server cannot be renamed: {error}") from error
    except Exception as error:
        _log.exception("The spawner refuses to rename %s", server_label(server.user_name, server.name))
        raise Conflict(f"The server cannot be renamed: {_said(error)}") from error


async def load_owner(ctx: HubContext, server: Server) -> Owner:
    """Return the owner of a server; raise NotFound when the row went with its owner."""
    async with ctx.store.read() as tx:
        return await owner_in(tx, server)


async def owner_in(tx: Transaction, server: Server) -> Owner:
    """Return the owner of a server as a transaction sees them; raise NotFound when they are gone."""
    user = await tx.users.get_by_id(server.user_id)
    if user is None:
        raise NotFound(f"The owner of server {server.id} is gone")
    return Owner(user, await tx.groups.of_user(user.id))


def log_directory(ctx: HubContext) -> Path:
    """Return where the servers' logs are kept."""
    return ctx.settings.directory / ctx.settings.runtime_dir / "logs"


def _said(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


async def _formless(ctx: HubContext, user: User, server_name: str) -> Spawner:
    """Return a driver that belongs to no server yet, for asking about its form."""
    server = replace(never_started(user), name=server_name)
    return build_driver(ctx, server, await load_owner(ctx, server))
