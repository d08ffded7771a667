"""Which of several hubs works on a server: the one whose turn it is, and any other when that one does not.

It only spares work. What keeps two from working on one server is the lease, taken by compare-and-set.
"""

from __future__ import annotations

import logging

from carrel.core.peers import Peers
from carrel.domain.names import full_name
from carrel.domain.servers import Server
from carrel.domain.transitions import Action, is_elsewhere
from carrel.lib.clock import Timestamp

#: How long work that is another hub's turn may lie before this one does it, in seconds.
_BACKSTOP = 1.0
#: How long after its end a lease that somebody else held is looked at, in seconds.
_AFTER = 0.2
_log = logging.getLogger("carrel.lifecycle")


class Turns:
    """What one hub's reconciler leaves to the others."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._left: dict[int, int] = {}
        """Servers that were left to others, by id, with the version that was seen."""
        self._stranded: set[int] = set()

    def is_ours(self, server: Server, action: Action) -> bool:
        """Tell whether to take `action` now; otherwise look again after `pause` seconds."""
        if action is Action.POLL:
            return self._peers.is_our_turn(server)
        if action is Action.NONE or self._peers.is_our_turn(server):
            self._left.pop(server.id, None)
            return True
        if self._left.get(server.id) == server.version:
            del self._left[server.id]
            return True
        self._left[server.id] = server.version
        return False

    def pause(self, server: Server, action: Action, now: Timestamp) -> float | None:
        """Return after how many seconds to look at a server again that another hub should see to, or None."""
        if action is Action.POLL:
            return None
        if action is not Action.NONE:
            return _BACKSTOP
        if is_elsewhere(server, self._peers.node):
            self._complain(server)
            return None
        lease = server.lease
        if lease is None or lease.owner == self._peers.owner:
            return None
        return max(0.0, lease.expires - now) + _AFTER

    def _complain(self, server: Server) -> None:
        """Say once that nobody can look after a server."""
        if self._peers.is_manned(server.node):
            self._stranded.discard(server.id)
        elif server.id not in self._stranded:
            self._stranded.add(server.id)
            _log.warning(
                "%s is bound to the machine %s, where no hub runs: it is left as it is until one does",
                full_name(server.user_name, server.name),
                server.node,
            )
