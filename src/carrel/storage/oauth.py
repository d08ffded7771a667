"""What the hub asks of its database about OAuth clients and codes; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from carrel.domain.oauth import OAuthClient, OAuthCode
from carrel.lib.clock import Timestamp


class OAuth(Protocol):
    """OAuth clients and codes."""

    async def put_client(self, client: OAuthClient) -> None:
        """Add a client, or replace the one with its id."""

    async def get_client(self, client_id: str) -> OAuthClient | None: ...
    async def descriptions(self, client_ids: Iterable[str]) -> Mapping[str, str]:
        """Return what those of the clients that exist say they are, by id."""

    async def delete_clients_of_server(self, server_id: int) -> int: ...
    async def delete_client(self, client_id: str) -> None:
        """Remove a client and its codes; unknown ones are fine."""

    async def add_code(self, code: OAuthCode) -> None: ...
    async def take_code(self, hashed: str) -> OAuthCode | None:
        """Return the code and remove it: only one caller ever gets it."""

    async def delete_codes_of_session(self, session_id: str) -> int:
        """Remove the codes that were given in a session which has ended."""

    async def purge_codes(self, now: Timestamp) -> int: ...
