"""What the hub asks of its database about services; see `carrel.storage.base`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from carrel.domain.services import Service, ServiceToken
from carrel.lib.clock import Timestamp


class Services(Protocol):
    """Services, their tokens, and which hub runs them."""

    async def all(self) -> Sequence[Service]:
        """Return every service, in the order of their names."""

    async def get(self, name: str) -> Service | None: ...
    async def get_by_id(self, service_id: int) -> Service | None: ...
    async def of_client(self, client_id: str) -> Service | None: ...
    async def put(self, service: Service) -> Service:
        """Add a service, or replace what is said of the one with its name; return it as it is stored.

        Who runs it, and its process, stay as they are. Raises Conflict when another has its OAuth client.
        """

    async def delete(self, service_id: int) -> None:
        """Remove a service with its tokens; roles stay with its name."""

    async def find_token(self, prefix: str, hashed: str) -> ServiceToken | None: ...
    async def salted_tokens(self, prefix: str) -> Sequence[ServiceToken]:
        """Return tokens that begin like this, at most 50, whose digest is salted: those of JupyterHub's."""

    async def rehash_token(self, token_id: int, hashed: str) -> None:
        """Replace the digest of a token by another one of the same secret."""

    async def tokens(self, service_id: int) -> Sequence[ServiceToken]: ...
    async def add_token(self, token: ServiceToken) -> ServiceToken:
        """Store a token; its `id` is ignored. Raises Conflict when a service has this one already."""

    async def delete_token(self, token_id: int) -> None: ...
    async def claim(
        self, service_id: int, owner: str, *, expires: Timestamp, now: Timestamp, force: bool = False
    ) -> bool:
        """Become, or stay, the one hub that runs a service; False while another one holds the lease.

        With `force` it is taken from whoever has it: for a database that only one hub may use.
        """

    async def set_process(self, service_id: int, owner: str, node: str, pid: int, start_time: str) -> bool:
        """Write down the process that runs a service; False when `owner` does not hold the lease any more."""

    async def release(self, service_id: int, owner: str) -> None:
        """Give up the lease; may be repeated."""
