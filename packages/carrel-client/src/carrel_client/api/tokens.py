"""Calls about users' API tokens."""

from __future__ import annotations

from collections.abc import Iterable

from carrel_client.api.calls import Call, given, path
from carrel_client.api.models import Token, TokenList


def of(user: str) -> Call[TokenList]:
    """Return a user's tokens, without their secrets."""
    return Call("GET", path("users", user, "tokens"), TokenList)


def get(user: str, token_id: str) -> Call[Token]:
    """Return one token."""
    return Call("GET", path("users", user, "tokens", token_id), Token)


def create(
    user: str, *, note: str | None = None, expires_in: int | None = None, scopes: Iterable[str] | None = None
) -> Call[Token]:
    """Make a token that may do what `scopes` say, by default all that its user may; `expires_in` seconds."""
    wanted = None if scopes is None else list(scopes)
    return Call(
        "POST", path("users", user, "tokens"), Token, given(note=note, expires_in=expires_in, scopes=wanted)
    )


def revoke(user: str, token_id: str) -> Call[None]:
    """Revoke a token; one of a log-in takes all of that log-in's client along."""
    return Call("DELETE", path("users", user, "tokens", token_id))
