"""Building the driver of a server: a fresh Spawner for each start, stop, poll or form."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from carrel.core.context import HubContext
from carrel.domain.errors import NotFound
from carrel.domain.names import client_id
from carrel.domain.scopes import access_scopes
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.spawners.base import Spawner
from carrel.spawners.run import Run, make_spawner
from carrel.spawners.views import UserView


def build_driver(ctx: HubContext, server: Server, user: User) -> Spawner:
    """Return a driver for `server`, with the checkpoint of its row loaded.

    Raises TraitError when the configuration has a value that the spawner does not take.
    """
    run = Run(
        user=UserView(
            id=user.id,
            name=user.name,
            base_url=ctx.settings.base_url,
            admin=user.admin,
            settings={"cookie_options": {}},
        ),
        hub=ctx.hub,
        server_id=server.id,
        generation=server.generation,
        name=server.name,
        state=server.state,
        user_options=server.user_options,
        oauth_client_id=client_id(user.name, server.name),
        oauth_access_scopes=access_scopes(user.name, server.name),
        authenticator=ctx.authenticator,
        log_directory=str(log_directory(ctx)),
    )
    return make_spawner(ctx.spawner_class, run, ctx.settings.plugins)


async def options_form(ctx: HubContext, user: User) -> str:
    """Return the HTML of the form that a user fills in before a start; empty when there is none."""
    return await _formless(ctx, user).get_options_form()


async def options_from_form(ctx: HubContext, user: User, form: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the options that a filled-in form stands for; raises what the deployer's code raises."""
    return await _formless(ctx, user).run_options_from_form(dict(form))


async def load_user(ctx: HubContext, server: Server) -> User:
    """Return the owner of a server; raise NotFound when the row went with its owner."""
    async with ctx.store.read() as tx:
        user = await tx.users.get_by_id(server.user_id)
    if user is None:
        raise NotFound(f"The owner of server {server.id} is gone")
    return user


def log_directory(ctx: HubContext) -> Path:
    """Return where the servers' logs are kept."""
    return ctx.settings.directory / ctx.settings.runtime_dir / "logs"


def _formless(ctx: HubContext, user: User) -> Spawner:
    """Return a driver that belongs to no server yet, for asking about its form."""
    return build_driver(ctx, Server(id=0, user_id=user.id, user_name=user.name, name="", created=0.0), user)
