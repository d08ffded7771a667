"""Codes that invite to a server: made by who may share it, accepted by whoever knows one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core import salted
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.shares import give, names_to_give, refuse_excess, server_to_share, shares_of
from carrel.domain.errors import Forbidden, Invalid, NotFound
from carrel.domain.names import full_name
from carrel.domain.paging import Page, PageRequest
from carrel.domain.shares import (
    DEFAULT_LIFETIME,
    LONGEST_LIFETIME,
    SHORTEST_LIFETIME,
    Receiver,
    Share,
    ShareCode,
)
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_secret, token_prefix
from carrel.storage.base import Transaction

_LONGEST_CODE = 200
# Longer numbers fit no database.
_PUBLIC_ID = re.compile(r"sc_([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewShareCode:
    """A code that was just made: its secret is shown this once."""

    record: ShareCode
    secret: str


async def list_codes(
    ctx: HubContext, caller: Caller, owner: str, server: str | None, page: PageRequest
) -> Page[ShareCode]:
    """Return the codes of a server, or for None of all servers of `owner`, that are still good."""
    full = None if server is None else full_name(owner, server)
    caller.require("read:shares", user=owner, server=full)
    async with ctx.store.read() as tx:
        which = await shares_of(tx, owner, server)
        if which is None:
            return Page((), page.offset, page.limit, 0)
        return await tx.share_codes.page(which, page, now=ctx.clock.now())


async def make_code(
    ctx: HubContext,
    caller: Caller,
    owner: str,
    server: str,
    scopes: Sequence[str] | None = None,
    expires_in: int = DEFAULT_LIFETIME,
) -> NewShareCode:
    """Return a new code for a server, good for `expires_in` seconds.

    Raises Invalid for scopes that are not about this server and for a time that is too short or too long,
    Forbidden for scopes that the caller does not hold for the server.
    """
    caller.require("shares", user=owner, server=full_name(owner, server))
    if not SHORTEST_LIFETIME <= expires_in <= LONGEST_LIFETIME:
        raise Invalid(f"expires_in must be {SHORTEST_LIFETIME} to {LONGEST_LIFETIME} seconds")
    names = names_to_give(ctx, scopes, owner, server)
    refuse_excess(caller, names, owner, server)
    secret, now = new_secret(), ctx.clock.now()
    async with ctx.store.write(durable=True) as tx:
        row = await server_to_share(ctx, tx, owner, server)
        record = await tx.share_codes.add(
            row.id, digest(secret), names, now=now, expires=now + expires_in, prefix=token_prefix(secret)
        )
    return NewShareCode(record, secret)


async def revoke_codes(
    ctx: HubContext,
    caller: Caller,
    owner: str,
    server: str,
    *,
    secret: str | None = None,
    public_id: str | None = None,
) -> None:
    """End one code of a server, named by itself or by its public id (`sc_12`), or all.

    What was given by them stays. Raises NotFound for a code that the server does not have.
    """
    caller.require("shares", user=owner, server=full_name(owner, server))
    async with ctx.store.write(durable=True) as tx:
        which = await shares_of(tx, owner, server)
        # Numbers begin at one: a server without a row has no codes.
        server_id = (which.server_id if which else None) or 0
        if secret:
            code = await _find(tx, secret, ctx.clock.now())
            if code is None or not await tx.share_codes.delete(server_id, code.id):
                raise NotFound("No matching code found")
        elif public_id:
            number = _PUBLIC_ID.fullmatch(public_id)
            if number is None or not await tx.share_codes.delete(server_id, int(number[1])):
                raise NotFound(f"No code found matching id={public_id[:40]}")
        else:
            await tx.share_codes.delete_of_server(server_id)


async def look_at_code(ctx: HubContext, caller: Caller, secret: str) -> ShareCode:
    """Return what a code invites to; knowing it is enough.

    Raises NotFound for an unknown or expired one, Forbidden for one's own server.
    """
    async with ctx.store.read() as tx:
        code = await _find(tx, secret, ctx.clock.now())
    if code is None:
        raise NotFound("This invitation has expired, or there never was one. Ask for a new one.")
    if code.server.owner_id == caller.user.id:
        raise Forbidden("This invitation is to your own server: send it to those who are to use it.")
    return code


async def accept_code(ctx: HubContext, caller: Caller, secret: str) -> Share:
    """Give the caller what a code invites to, beside what they have; return the share. May be repeated.

    Raises Invalid for an unknown or expired code, and for one's own server.
    """
    now = ctx.clock.now()
    async with ctx.store.write(durable=True) as tx:
        code = await _find(tx, secret, now)
        if code is None:
            raise Invalid("This invitation has expired, or there never was one. Ask for a new one.")
        if code.server.owner_id == caller.user.id:
            raise Invalid("This invitation is to your own server: send it to those who are to use it.")
        receiver = Receiver("user", caller.user.id, caller.user.name)
        present = await tx.shares.find(code.server.id, receiver)
        scopes = {*code.scopes, *(present.scopes if present else ())}
        share = await give(ctx, tx, code.server.id, receiver, scopes)
        await tx.share_codes.count_exchange(code.id, now=now)
    return share


async def _find(tx: Transaction, secret: str, now: Timestamp) -> ShareCode | None:
    code = await tx.share_codes.find(digest(secret[:_LONGEST_CODE]), now=now)
    return code if code is not None else await salted.find_code(tx, secret, now)
