"""/users/NAME/tokens."""

from __future__ import annotations

import logging
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from carrel.api.limits import Names, Note
from carrel.api.models import TokenModel, token_model
from carrel.authenticators.policy import Refusal
from carrel.core import tokens
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.login import caller_by_login
from carrel.domain.errors import Unauthenticated
from carrel.http.endpoint import delete, get, post
from carrel.http.request import facts_of

_log = logging.getLogger("carrel.api")


class NewToken(Struct):
    """The body of POST /users/NAME/tokens."""

    note: Note | None = None
    expires_in: int | None = None
    scopes: Names | None = None
    roles: Names | None = None
    """As clients from before there were scopes ask."""
    auth: Any = None
    """What a log-in form would send, from somebody who has no token yet."""


@get("/users/{name:str}/tokens", summary="List tokens", scopes=("read:tokens",))
async def list_tokens(hub: HubContext, caller: Caller, name: str) -> dict[str, list[TokenModel]]:
    """Return a user's tokens, without their secrets."""
    found = await tokens.list_tokens(hub, caller, name)
    return {"api_tokens": [token_model(owned.token, owned.scopes.ordered) for owned in found]}


@post(
    "/users/{name:str}/tokens",
    summary="Make a token",
    status=201,
    scopes=("tokens",),
    example={"note": "nightly report", "expires_in": 3600, "scopes": ["read:users!user"]},
)
async def make_token(
    hub: HubContext, visitor: Caller | None, name: str, request: Request, data: NewToken | None = None
) -> TokenModel:
    """Return a new token; its secret is shown this once.

    Who has no token sends what the log-in form would, as `auth`.
    """
    wanted = data or NewToken()
    caller = visitor or await _log_in(hub, request, wanted.auth)
    made = await tokens.issue_token(
        hub,
        caller,
        name,
        note=wanted.note or _note(caller, name),
        scopes=wanted.scopes,
        roles=wanted.roles,
        expires_in=wanted.expires_in,
    )
    return token_model(made.token, made.scopes.ordered, made.secret)


@get("/users/{name:str}/tokens/{token_id:str}", summary="Get a token", scopes=("read:tokens",))
async def get_token(hub: HubContext, caller: Caller, name: str, token_id: str) -> TokenModel:
    """Return one of a user's tokens."""
    owned = await tokens.get_token(hub, caller, name, token_id)
    return token_model(owned.token, owned.scopes.ordered)


@delete("/users/{name:str}/tokens/{token_id:str}", summary="Revoke a token", scopes=("tokens",))
async def revoke_token(hub: HubContext, caller: Caller, name: str, token_id: str) -> None:
    """End a token at once."""
    await tokens.revoke_token(hub, caller, name, token_id)


async def _log_in(hub: HubContext, request: Request, sent: Any) -> Caller:
    """Return who proves who they are in the body; raise Unauthenticated for anybody else."""
    if not isinstance(sent, dict) or not all(isinstance(value, str) for value in sent.values()):
        raise Unauthenticated
    caller = await caller_by_login(hub, sent)
    if isinstance(caller, Refusal):
        client = facts_of(request.scope).client
        _log.warning("Log-in for a token from %s refused: %s", client, caller.reason_for_log)
        raise Unauthenticated
    return caller


def _note(caller: Caller, owner: str) -> str:
    others = "" if caller.is_user(owner) else f" by {caller.kind} {caller.name}"
    return f"Requested via api{others}"
