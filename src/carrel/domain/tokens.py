"""API tokens and log-in sessions."""

from __future__ import annotations

from dataclasses import dataclass

from carrel.lib.clock import Timestamp

#: The OAuth client that owns tokens which people and configs make.
HUB_CLIENT_ID = "jupyterhub"


@dataclass(frozen=True, slots=True)
class Token:
    """A stored API token; the secret itself is not kept."""

    id: int
    user_id: int
    user_name: str
    prefix: str
    hashed: str
    scopes: tuple[str, ...]
    """What it may do at most; `inherit` follows its owner."""
    created: Timestamp
    note: str = ""
    client_id: str = HUB_CLIENT_ID
    session_id: str | None = None
    server_id: int | None = None
    """The server whose own token this is; it ends with the server's run."""
    last_activity: Timestamp | None = None
    expires: Timestamp | None = None

    def expired(self, now: Timestamp) -> bool:
        """Tell whether it is no longer good at `now`."""
        return self.expires is not None and now >= self.expires


@dataclass(frozen=True, slots=True)
class Session:
    """One browser's log-in. `hashed` is the digest of the cookie's secret."""

    hashed: str
    user_id: int
    user_name: str
    session_id: str
    created: Timestamp
    expires: Timestamp

    def expired(self, now: Timestamp) -> bool:
        """Tell whether it is no longer good at `now`."""
        return now >= self.expires
