"""/users/NAME/tokens."""

from __future__ import annotations

from msgspec import Struct

from carrel.api.models import TokenModel, token_model
from carrel.core import tokens
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid, NotFound
from carrel.http.endpoint import delete, get, post


class NewToken(Struct):
    """The body of POST /users/NAME/tokens."""

    note: str = "Requested via api"
    expires_in: int | None = None
    scopes: list[str] | None = None
    roles: list[str] = []


@get("/users/{name:str}/tokens", summary="List tokens", scopes=("read:tokens",))
async def list_tokens(hub: HubContext, caller: Caller, name: str) -> dict[str, list[TokenModel]]:
    """Return a user's tokens, without their secrets."""
    found = await tokens.list_tokens(hub, caller, name)
    return {"api_tokens": [token_model(token) for token in found]}


@post("/users/{name:str}/tokens", summary="Make a token", status=201, scopes=("tokens",))
async def make_token(hub: HubContext, caller: Caller, name: str, data: NewToken | None = None) -> TokenModel:
    """Return a new token; its secret is shown this once."""
    wanted = data or NewToken()
    made = await tokens.issue_token(
        hub,
        caller,
        name,
        note=wanted.note,
        scopes=wanted.scopes,
        roles=wanted.roles,
        expires_in=wanted.expires_in,
    )
    return token_model(made.token, made.secret)


@get("/users/{name:str}/tokens/{token_id:str}", summary="Get a token", scopes=("read:tokens",))
async def get_token(hub: HubContext, caller: Caller, name: str, token_id: str) -> TokenModel:
    """Return one of a user's tokens."""
    wanted = _number(token_id)
    for token in await tokens.list_tokens(hub, caller, name):
        if token.id == wanted:
            return token_model(token)
    raise NotFound(f"Token not found: {token_id}")


@delete("/users/{name:str}/tokens/{token_id:str}", summary="Revoke a token", scopes=("tokens",))
async def revoke_token(hub: HubContext, caller: Caller, name: str, token_id: str) -> None:
    """End a token at once."""
    await tokens.revoke_token(hub, caller, name, _number(token_id))


def _number(token_id: str) -> int:
    text = token_id.removeprefix("a")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid(f"Not a token id: {token_id[:40]!r}")
    return int(text)
