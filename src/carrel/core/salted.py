"""Secrets that came out of a JupyterHub database: their digests are salted, so they are found by trying.

Each is stored in our own form with its first use, and found at once from then on. What is tried are the few
that begin alike. A digest of many rounds, as JupyterHub keeps those that somebody wrote, is computed in a
thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

from carrel.core.context import HubContext
from carrel.domain.services import ServiceToken
from carrel.domain.shares import ShareCode
from carrel.domain.tokens import Token
from carrel.lib.clock import Timestamp
from carrel.lib.ids import compare_token, digest, rounds_of, token_prefix
from carrel.storage.base import Transaction

T = TypeVar("T")
#: More rounds than this in all are not for the event loop.
_AT_ONCE = 200


async def find_token(tx: Transaction, secret: str) -> Token | None:
    """Return a user's imported token with this secret, expired or not."""
    return await _fitting(await tx.tokens.salted(token_prefix(secret)), secret, _digest_of)


async def find_service_token(tx: Transaction, secret: str) -> ServiceToken | None:
    """Return a service's imported token with this secret."""
    return await _fitting(await tx.services.salted_tokens(token_prefix(secret)), secret, _digest_of)


async def find_code(tx: Transaction, secret: str, now: Timestamp) -> ShareCode | None:
    """Return an imported share code with this secret that is still good."""
    candidates = await tx.share_codes.salted(token_prefix(secret), now=now)
    found = await _fitting(candidates, secret, lambda each: each[1])
    return None if found is None else found[0]


async def keep_digest(ctx: HubContext, token: Token | ServiceToken, secret: str) -> None:
    """Store a token's digest in our own form; may be repeated."""
    async with ctx.store.write() as tx:
        if isinstance(token, Token):
            await tx.tokens.rehash(token.id, digest(secret))
        else:
            await tx.services.rehash_token(token.id, digest(secret))


async def _fitting(candidates: Iterable[T], secret: str, digest_of: Callable[[T], str]) -> T | None:
    candidates = list(candidates)
    if sum(rounds_of(digest_of(each)) for each in candidates) > _AT_ONCE:
        return await asyncio.to_thread(_first, candidates, secret, digest_of)
    return _first(candidates, secret, digest_of)


def _first(candidates: Iterable[T], secret: str, digest_of: Callable[[T], str]) -> T | None:
    return next((each for each in candidates if compare_token(digest_of(each), secret)), None)


def _digest_of(token: Token | ServiceToken) -> str:
    return token.hashed
