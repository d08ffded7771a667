"""Whether one more server may be, or be started: the limits that the deployer sets."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.causes.rule import End, Stage
from carrel.domain.errors import Invalid, OverLimit, Unavailable
from carrel.domain.events import Work, WorkDone
from carrel.domain.failures import Evidence, diagnose
from carrel.domain.names import check_server_name, shortened
from carrel.domain.services import Service
from carrel.domain.users import User
from carrel.lib.awaiting import resolve_within
from carrel.storage.base import Transaction

_CALL_LIMIT = 10.0
_COME_BACK = 120.0
#: JupyterHub's words for metrics.
_REASONS = {"starting": "throttled", "active": "too-many-users"}


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks for a named server, with the one attribute of JupyterHub's handler that callables read."""

    current_user: User | Service


def require_named_servers(ctx: HubContext) -> None:
    """Raise Invalid where there are no named servers."""
    if not ctx.settings.allow_named_servers:
        raise Invalid("Named servers are not enabled.")


async def named_server_limit(ctx: HubContext, caller: Caller) -> int:
    """Return how many named servers a user may have when `caller` asks, 0 for any number.

    Raises Unavailable when the deployer's callable fails.
    """
    limit = ctx.settings.named_server_limit_per_user
    if not callable(limit) or not ctx.settings.allow_named_servers:
        return int(limit) if not callable(limit) else 0
    try:
        return int(await resolve_within(limit(Asking(caller.owner)), _CALL_LIMIT) or 0)
    except Exception as error:
        raise Unavailable(f"JupyterHub.named_server_limit_per_user cannot tell the limit: {error}") from error


async def admit_name(tx: Transaction, user: User, name: str, limit: int) -> None:
    """Return when `user` may have one more server, of this name; raise Invalid otherwise."""
    if limit > 0:
        named = [server for server in await tx.servers.of_users([user.id]) if server.name]
        if len(named) >= limit:
            raise Invalid(
                f"User {user.name} already has the maximum of {limit} named servers."
                "  One must be deleted before a new server can be created"
            )
    check_server_name(name)


def admit_old_name(ctx: HubContext, name: str) -> None:
    """Return when a server of this name, which exists, may be started; raise Invalid otherwise."""
    if ctx.settings.allow_existing_invalid_named_servers == "allow-delete" and name:
        try:
            check_server_name(name)
        except Invalid:
            raise Invalid(
                f"Starting invalid server_name {shortened(name)} is disabled, contact your administrator"
            ) from None


async def admit_start(ctx: HubContext, tx: Transaction) -> None:
    """Return when one more start may be asked for; raise OverLimit otherwise.

    Without `spawn_throttle_retry_range` it may, however many there are: it waits its turn.
    """
    settings = ctx.settings
    throttle = settings.spawn_throttle_retry_range if settings.concurrent_spawn_limit else None
    if throttle is None and not settings.active_server_limit:
        return
    active, starting = await tx.servers.count_active()
    if throttle is not None and starting >= settings.concurrent_spawn_limit:
        low, high = throttle
        seconds = int(low + (high - low) * ctx.chance())
        raise _over(ctx, "starting", seconds)
    if 0 < settings.active_server_limit <= active:
        raise _over(ctx, "active", _COME_BACK)


def _over(ctx: HubContext, what: str, seconds: float) -> OverLimit:
    ctx.bus.publish(WorkDone(Work.START, 0.0, "failure", _REASONS[what]))
    refused = Evidence(stage=Stage.WAITING, end=End.REFUSED, limit=seconds, facts={"refusal": what})
    failure = diagnose(refused)
    return OverLimit(f"{failure.message} {failure.hint}", seconds, failure.code)
