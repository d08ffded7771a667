"""What the hub asks of its database about API tokens; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from carrel.domain.tokens import Token
from carrel.lib.clock import Timestamp


class Tokens(Protocol):
    """API tokens."""

    async def add(self, token: Token) -> Token:
        """Store a token; its `id` is ignored and the stored record is returned."""

    async def find(self, prefix: str, hashed: str) -> Token | None: ...
    async def salted(self, prefix: str) -> Sequence[Token]:
        """Return tokens that begin like this, at most 50, whose digest is salted: those of JupyterHub's."""

    async def rehash(self, token_id: int, hashed: str) -> None:
        """Replace the digest of a token by another one of the same secret."""

    async def get(self, token_id: int) -> Token | None: ...
    async def of_user(self, user_id: int) -> Sequence[Token]: ...
    async def delete(self, token_id: int) -> bool: ...
    async def delete_of_client(self, user_id: int, client_id: str) -> int: ...
    async def delete_all_of_client(self, client_id: str) -> int:
        """Remove what all users' browsers were given for an OAuth client that goes away."""

    async def delete_of_server(self, server_id: int) -> int:
        """Remove a server's own token and those that its OAuth client was given."""

    async def delete_of_session(self, session_id: str) -> int: ...
    async def touch(self, moments: Mapping[int, Timestamp]) -> None: ...
    async def purge(self, now: Timestamp) -> int:
        """Remove what has expired and belongs to no grant; return how many."""
