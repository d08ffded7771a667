"""What the OAuth provider asks of the database; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from carrel.domain.oauth import ClientKind, Grant, OAuthClient, OAuthCode
from carrel.lib.clock import Timestamp


class OAuth(Protocol):
    """OAuth clients, codes, and grants: what keeps clients connected."""

    async def put_client(self, client: OAuthClient) -> None:
        """Add a client, or replace the one with its id."""

    async def get_client(self, client_id: str) -> OAuthClient | None: ...
    async def descriptions(self, client_ids: Iterable[str]) -> Mapping[str, str]:
        """Return what the clients with these ids are called."""

    async def clients(self, kind: ClientKind) -> Sequence[OAuthClient]:
        """Return all clients of a kind, in the order of their ids."""

    async def delete_client(self, client_id: str) -> bool:
        """Remove a client with its codes and grants; its tokens stay."""

    async def delete_clients_of_server(self, server_id: int) -> Sequence[str]:
        """Remove a server's clients, of which an imported one may have two; return their ids."""

    async def add_code(self, code: OAuthCode) -> None: ...
    async def take_code(self, hashed: str) -> OAuthCode | None:
        """Return the code and mark it as spent: only one caller ever gets it."""

    async def spent_code(self, hashed: str) -> OAuthCode | None:
        """Return a code that was taken before."""

    async def note_given(self, hashed: str, token_id: int, grant_id: str | None) -> None:
        """Write down what a code was exchanged for."""

    async def delete_codes_of_session(self, session_id: str) -> int:
        """Remove the codes that were given in a session which has ended."""

    async def purge_codes(self, now: Timestamp) -> int: ...
    async def add_grant(self, grant: Grant) -> None: ...
    async def get_grant(self, grant_id: str) -> Grant | None: ...
    async def grants_of_client(self, user_id: int, client_id: str) -> Sequence[Grant]: ...
    async def tokens_of_grants(self, user_id: int) -> Collection[int]:
        """Return the ids of the access tokens that were given last by each of a user's grants."""

    async def renew_grant(self, grant: Grant, hashed: str) -> bool:
        """Write what changes of a grant with a use, if `hashed` still is its token; tell whether it was."""

    async def delete_grant(self, grant_id: str) -> bool: ...
    async def delete_grants_of_client(self, user_id: int, client_id: str) -> int: ...
    async def delete_grants_of_session(self, session_id: str) -> int: ...
    async def purge_grants(self, now: Timestamp) -> int: ...
