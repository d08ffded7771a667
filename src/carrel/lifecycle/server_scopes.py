"""What a server's own token and its visitors' tokens may do, where the deployer's functions say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.core.context import HubContext
from carrel.core.runs import build_driver, load_owner
from carrel.domain.errors import Invalid
from carrel.domain.names import full_name
from carrel.domain.profile_options import Overrides
from carrel.domain.roles import scopes_of_server_token
from carrel.domain.scopes import expand
from carrel.domain.servers import Server
from carrel.lib.awaiting import resolve_within
from carrel.spawners.base import Spawner
from carrel.storage.base import Transaction

_SETTINGS = ("oauth_client_allowed_scopes", "oauth_roles", "server_token_scopes")
_LIMIT = 30.0


@dataclass(frozen=True, slots=True)
class Grants:
    """Scopes of a start."""

    token: Sequence[str]
    """Of the server's own token, as far as its owner holds them."""
    visitors: Sequence[str]
    """What visitors may grant the server."""


async def asked_scopes(
    ctx: HubContext, server: Server, overrides: Sequence[Overrides]
) -> Mapping[str, list[str]]:
    """Return what the settings that are functions come to for a start of `server`; most hubs have none.

    They are asked before anything is written, for they may take their time. `overrides` are those of the
    profile. Raises NotFound when the owner is gone, and Invalid, with the setting's name, for what they raise
    and answer wrongly.
    """
    cls = ctx.spawners.of(server.spawner)
    if not any(_is_function(ctx, cls, name, overrides) for name in _SETTINGS):
        return {}
    driver = build_driver(ctx, server, await load_owner(ctx, server), overrides)
    found = {}
    for name in _SETTINGS:
        value = getattr(driver, name)
        if callable(value):
            found[name] = await _ask(name, value, driver)
    return found


def _is_function(ctx: HubContext, cls: type[Spawner], name: str, overrides: Sequence[Overrides]) -> bool:
    if any(callable(each.get(name)) for each in overrides):
        return True
    sections = (ctx.settings.plugins.get(base.__name__, {}) for base in cls.__mro__)
    own = cls.class_traits()[name].default_value
    return callable(own) or any(callable(section.get(name)) for section in sections)


async def _ask(name: str, function: Any, driver: Spawner) -> list[str]:
    try:
        answer = await resolve_within(function(driver), _LIMIT)
    except Exception as error:
        raise Invalid(f"{type(driver).__name__}.{name} failed: {error}") from error
    if not isinstance(answer, list | tuple | set | frozenset) or not all(isinstance(x, str) for x in answer):
        raise Invalid(f"{type(driver).__name__}.{name} must return a list of texts, not {answer!r:.80}")
    return [str(each) for each in answer]


async def grants_of(
    ctx: HubContext, tx: Transaction, server: Server, driver: Spawner, asked: Mapping[str, list[str]]
) -> Grants:
    """Return what a server is given at its start, and tell the driver what was `asked`.

    Raises Invalid for scopes and roles that do not exist.
    """
    for name, scopes in asked.items():
        setattr(driver, name, scopes)
    return Grants(_token_scopes(ctx, driver, server), await _visitors_scopes(tx, driver))


async def _visitors_scopes(tx: Transaction, driver: Spawner) -> Sequence[str]:
    if driver.oauth_client_allowed_scopes or not driver.oauth_roles:
        return tuple(driver.oauth_client_allowed_scopes)
    roles = await tx.roles.named(driver.oauth_roles)
    missing = set(driver.oauth_roles) - {role.name for role in roles}
    if missing:
        raise Invalid(f"Spawner.oauth_roles: there is no role {', '.join(sorted(missing))}")
    return tuple(dict.fromkeys(scope for role in roles for scope in role.scopes))


def _token_scopes(ctx: HubContext, driver: Spawner, server: Server) -> Sequence[str]:
    wanted = driver.server_token_scopes
    if not wanted:
        return sorted(scopes_of_server_token(server.user_name, server.name))
    full = full_name(server.user_name, server.name)
    return sorted(expand(wanted, server.user_name, server=full, catalog=ctx.catalog))
