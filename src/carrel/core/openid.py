"""OpenID Connect: the keys that sign what the hub says about people, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden
from carrel.domain.oauth import EMAIL, GROUPS, OPENID, PROFILE
from carrel.domain.signing import SigningKey, new_key_due, shown, signing_key
from carrel.domain.tokens import Token
from carrel.domain.users import User
from carrel.lib.clock import Timestamp
from carrel.lib.ids import digest, new_token
from carrel.lib.signing import half_hash, new_private_key, public_key, sign

#: How long an id_token is good, in seconds: it only has to arrive.
ID_TOKEN_LIFETIME = 3600.0
#: The fact that says when a key was last made.
_MADE = "signing_key_made"


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs id_tokens for one request, in the name of `issuer`."""

    issuer: str
    key: SigningKey

    def id_token(
        self,
        claims: dict[str, Any],
        *,
        audience: str,
        access_token: str,
        auth_time: Timestamp,
        now: Timestamp,
        nonce: str = "",
    ) -> str:
        """Return an id_token (OpenID Connect Core, 2) that says `claims` of whoever signed in."""
        said = claims | {
            "iss": self.issuer,
            "aud": audience,
            "iat": int(now),
            "exp": int(now + ID_TOKEN_LIFETIME),
            "auth_time": int(auth_time),
            "at_hash": half_hash(access_token),
        }
        return sign(said | ({"nonce": nonce} if nonce else {}), self.key.private, self.key.id)


async def load_keys(ctx: HubContext) -> Sequence[SigningKey]:
    """Return the keys to be published, the oldest first; one is made when it is time.

    Hubs that ask at once get the same keys.
    """
    now = ctx.clock.now()
    async with ctx.store.read() as tx:
        keys = await tx.signing_keys.all()
    if not new_key_due(keys, now):
        return shown(keys, now)
    fresh = SigningKey(new_token(), await asyncio.to_thread(new_private_key), now)
    async with ctx.store.write(durable=True) as tx:
        # Hubs that are here at once wait for each other, and then find what the first has made.
        await tx.facts.put(_MADE, str(now))
        keys = await tx.signing_keys.all()
        if new_key_due(keys, now):
            await tx.signing_keys.add(fresh)
            keys = [*keys, fresh]
        for old in set(keys).difference(shown(keys, now)):
            await tx.signing_keys.delete(old.id)
    return shown(keys, now)


async def load_signer(ctx: HubContext, issuer: str) -> Signer:
    """Return what signs now."""
    key = signing_key(await load_keys(ctx), ctx.clock.now())
    if key is None:
        raise LookupError("There is no key to sign with.")
    return Signer(issuer, key)


async def published_keys(ctx: HubContext) -> list[dict[str, str]]:
    """Return the public halves of all keys, as JSON Web Keys."""
    return [public_key(key.private, key.id) for key in await load_keys(ctx)]


async def user_info(ctx: HubContext, caller: Caller) -> dict[str, Any]:
    """Return what the caller's token lets its holder know about its owner (OpenID Connect Core, 5.3).

    Raises Forbidden for a token that was not given for signing in.
    """
    scopes = caller.token.scopes if isinstance(caller.token, Token) else ()
    if OPENID not in scopes:
        raise Forbidden("This takes an access token that was given for the scope openid.")
    return claims_of(ctx, caller.user, caller.groups, scopes)


def claims_of(ctx: HubContext, user: User, groups: Sequence[str], scopes: Collection[str]) -> dict[str, Any]:
    """Return what `scopes` tell about a user."""
    info = user.user_info
    found: dict[str, Any] = {"sub": subject(ctx, user)}
    if PROFILE in scopes:
        found |= {"preferred_username": user.name, "name": _text(info.get("display_name")) or user.name}
        picture = _text(info.get("avatar_url"))
        found |= {"picture": picture} if picture.startswith("https://") else {}
    if EMAIL in scopes and (email := _text(info.get("email"))):
        # Anything but a plain yes is a no: whoever asks may let people in by their address.
        found |= {"email": email, "email_verified": info.get("email_verified") is True}
    if GROUPS in scopes:
        found["groups"] = sorted(groups)
    return found


def subject(ctx: HubContext, user: User) -> str:
    """Return what names a user for other applications, for good: names change, and are given to others."""
    return digest(f"{ctx.hub.hub_id} user {user.id}")[:32]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
