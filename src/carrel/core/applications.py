"""Applications: what people have signed in to through the hub, with the tokens that these got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.tokens import OwnedToken, list_tokens
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.lib.clock import Timestamp


@dataclass(frozen=True, slots=True)
class Application:
    """An OAuth client that holds tokens of a user; there is at least one."""

    client_id: str
    description: str
    tokens: tuple[OwnedToken, ...]

    @property
    def created(self) -> Timestamp:
        """Return when the user first let it in, as far as its tokens tell."""
        return min(owned.token.created for owned in self.tokens)

    @property
    def last_activity(self) -> Timestamp | None:
        """Return when it last used a token."""
        return max((owned.token.last_activity or 0.0 for owned in self.tokens), default=0.0) or None

    @property
    def scopes(self) -> list[str]:
        """Return what it may do, with whichever of its tokens."""
        return sorted({name for owned in self.tokens for name in owned.scopes.names})


@dataclass(frozen=True, slots=True)
class Holdings:
    """Every token of a user that is good: those of their own, and those of applications."""

    own: tuple[OwnedToken, ...]
    applications: tuple[Application, ...]


async def list_holdings(ctx: HubContext, caller: Caller, user_name: str) -> Holdings:
    """Return a user's tokens, the one that was used last first; raises what `list_tokens` does."""
    found = (await list_tokens(ctx, caller, user_name))[::-1]
    given: dict[str, list[OwnedToken]] = {}
    for owned in found:
        given.setdefault(owned.token.client_id, []).append(owned)
    own: Sequence[OwnedToken] = given.pop(HUB_CLIENT_ID, [])
    async with ctx.store.read() as tx:
        descriptions = await tx.oauth.descriptions(given) if given else {}
    applications = (
        Application(client_id, descriptions.get(client_id) or client_id, tuple(tokens))
        for client_id, tokens in given.items()
    )
    return Holdings(tuple(own), tuple(applications))
