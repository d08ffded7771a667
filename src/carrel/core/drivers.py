"""The driver of a server: a Spawner for each run, and one for each look at the form before it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
from traitlets import TraitError

from carrel.core.context import HubContext
from carrel.core.profiles import overrides_of
from carrel.core.runs import Owner, build_driver, load_owner, user_view
from carrel.domain.errors import CarrelError, Conflict, Invalid, Unavailable
from carrel.domain.names import server_label
from carrel.domain.servers import Server, never_started
from carrel.domain.users import User
from carrel.lib.awaiting import TookTooLong, resolve_within
from carrel.spawners.base import Spawner
from carrel.spawners.run import refresh_owner

#: How long the deployer's functions for forms and pages may take, in seconds.
_CALL_LIMIT = 30.0
_log = logging.getLogger("carrel.core")


async def new_driver(ctx: HubContext, server: Server, owner: Owner) -> Spawner:
    """Return a new driver for the run that `server` is in, with the settings of the profile in its row.

    Raises what `build_driver` raises.
    """
    overrides = await overrides_of(ctx, server, owner)
    try:
        return build_driver(ctx, server, owner, overrides)
    except TraitError as error:
        if not (overrides and server.state):
            raise
        # The configuration has changed since; what runs is to be looked after all the same.
        _log.warning("Server %d: the settings of its profile are left out: %s", server.id, error)
        return build_driver(ctx, server, owner)


async def driver_of(ctx: HubContext, server: Server) -> Spawner:
    """Return the driver of the run that `server` is in: the one that started it, where this process has it.

    Raises what `build_driver` raises, and NotFound when the row went with its owner.
    """
    owner = await load_owner(ctx, server)
    driver = ctx.live.get(server)
    if driver is None:
        driver = await new_driver(ctx, server, owner)
        ctx.live.keep(server, driver)
    else:
        refresh_owner(driver, user_view(ctx, owner.user, owner.groups))
    return driver


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
    try:
        if ctx.spawners.of(server.spawner).rename is Spawner.rename:
            return
        driver = await new_driver(ctx, server, await load_owner(ctx, server))
        await resolve_within(driver.rename(server.name, name), _CALL_LIMIT)
    except TookTooLong as error:
        raise Unavailable(f"The server cannot be renamed: {error}") from error
    except Exception as error:
        _log.exception("The spawner refuses to rename %s", server_label(server.user_name, server.name))
        raise Conflict(f"The server cannot be renamed: {_said(error)}") from error


def _said(error: Exception) -> str:
    return str(error).strip() or type(error).__name__


async def _formless(ctx: HubContext, user: User, server_name: str) -> Spawner:
    """Return a driver that belongs to no server yet, for asking about its form."""
    server = replace(never_started(user), name=server_name)
    return build_driver(ctx, server, await load_owner(ctx, server))
