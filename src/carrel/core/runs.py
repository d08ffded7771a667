"""Building the driver of a run: of the class that its row names, for the owner that it has."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from carrel.core.auth_state import load_auth_state
from carrel.core.context import HubContext
from carrel.domain.errors import NotFound
from carrel.domain.names import client_id
from carrel.domain.profile_options import Overrides
from carrel.domain.scopes import access_scopes
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.spawners.base import Spawner
from carrel.spawners.run import Run, make_spawner
from carrel.spawners.views import GroupView, UserView
from carrel.storage.base import Transaction

_log = logging.getLogger("carrel.core")


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a server is, and the groups that they are in."""

    user: User
    groups: tuple[str, ...] = ()


def build_driver(
    ctx: HubContext, server: Server, owner: Owner, overrides: Sequence[Overrides] = ()
) -> Spawner:
    """Return a new driver for `server`, of the class in its row, with the row's checkpoint loaded.

    `overrides` are what a profile makes of the configuration's settings. Raises UnknownSpawner for a class
    that is not to be had, TraitError when the configuration has a value that the spawner does not take.
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
        overrides=overrides,
        oauth_client_id=client_id(user.name, server.name),
        oauth_access_scopes=access_scopes(user.name, server.name),
        cookie_options=ctx.settings.tornado_settings.get("cookie_options", {}),
        cookie_host_prefix_enabled=ctx.settings.cookie_host_prefix_enabled,
        admin_access=ctx.settings.admin_access,
        authenticator=ctx.authenticator,
        log_directory=str(log_directory(ctx)),
        shared=ctx.shared,
    )
    return make_spawner(ctx.spawners.of(server.spawner), run, ctx.settings.plugins)


async def warm_up(ctx: HubContext) -> None:
    """Let the spawners get ready what starts will need; what goes wrong is logged."""
    for cls in ctx.spawners.all():
        if cls.warm_up is Spawner.warm_up:
            continue
        try:
            run = Run(user=UserView(0, "", ctx.settings.base_url), hub=ctx.hub, server_id=0, generation=0)
            await make_spawner(cls, run, ctx.settings.plugins).warm_up()
        except Exception:
            _log.exception("warm_up of %s failed", cls.__name__)


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
