"""How much a client may take, and how long."""

from __future__ import annotations

from dataclasses import dataclass, replace

#: What is limited for all processes together.
SHARED = ("per_address", "idle_clients", "upgrades", "idle_upstreams")


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds. None of them bounds a whole request or answer."""

    #: A request's line and headers together.
    header_bytes: int = 64 * 1024
    #: How many headers a request may have, and how long its first line may be.
    headers: int = 256
    line_bytes: int = 16 * 1024
    #: From the end of one answer, or the connection's start, until the next request's head is complete.
    header_seconds: float = 60.0
    #: From the end of an answer until the next request's head is complete; 0 is like header_seconds.
    keep_alive_seconds: float = 0.0
    #: A request on which nothing moves for so long ends: its connection is cut; 0 is never.
    silent_client_seconds: float = 0.0
    #: The same, answered with 503.
    silent_server_seconds: float = 0.0
    #: How long a client may fall silent in the middle of a body that the server would take.
    body_seconds: float = 120.0
    #: Open connections from one address; see the flag's help for why it is so large.
    per_address: int = 20_000
    #: Kept connections without a request; over it, those idle for longest are closed.
    idle_clients: int = 20_000
    #: Upgrades that wait for their server's answer at the same time.
    upgrades: int = 8192
    #: Until a server has answered an upgrade. A kernel's websocket is answered when the kernel is ready, for
    #: which Jupyter Server itself waits a minute.
    upgrade_seconds: float = 120.0
    #: Until a server has accepted a connection.
    connect_seconds: float = 10.0
    #: A kept connection idle for longer is not used again: some servers close theirs after 5 s. The clock for
    #: it may be a second late, and something sent just then would be lost.
    idle_upstream_seconds: float = 3.0
    idle_per_server: int = 64
    idle_upstreams: int = 2048
    #: What a client may send ahead, while an earlier request or an upgrade is still waiting for its answer.
    ahead_bytes: int = 64 * 1024
    #: How long a closing connection may take to send what is buffered.
    linger_seconds: float = 5.0
    #: How long a graceful stop waits for answers under way.
    drain_seconds: float = 5.0

    def share(self, workers: int) -> Limits:
        """Return what one of so many processes may take of what is limited for all of them together."""
        return replace(self, **{name: -(-getattr(self, name) // workers) for name in SHARED})

    @property
    def minds_silence(self) -> bool:
        """Tell whether a request may take too long without a byte."""
        return bool(self.silent_client_seconds or self.silent_server_seconds)
