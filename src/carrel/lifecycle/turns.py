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
#: How often to look whether another hub's polls have become this one's, in seconds.
_POLL_CHECK = 10.0
#: How long after its end a lease that somebody else held is looked at, in seconds.
_AFTER = 0.05
_log = logging.getLogger("carrel.lifecycle")


class Turns:
    """What one hub's reconciler leaves to the others."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._left: dict[int, int] = {}
        """The servers that were left to others, by id, with the version that was seen."""
        self._stranded: set[int] = set()

    @property
    def shares(self) -> int:
        """Among how many hubs the work is shared."""
        return 1 + len(self._peers.others)

    def may_start(self, server: Server, now: Timestamp) -> bool:
        """Tell whether to begin a start that is due: in turn, or when it has waited for long enough."""
        return self._peers.is_our_turn(server) or now - server.wished >= _BACKSTOP

    def pause(self, server: Server, action: Action, now: Timestamp) -> float:
        """Return in how many seconds to look at a server again instead of taking `action`; 0 to take it."""
        if action is Action.NONE:
            return self._wait_for_others(server, now)
        if self._peers.is_our_turn(server):
            return 0.0
        if action is Action.POLL:
            return _POLL_CHECK
        if action is Action.START:
            return max(0.0, server.wished + _BACKSTOP - now)
        if self._left.get(server.id) == server.version:
            del self._left[server.id]
            return 0.0
        self._left[server.id] = server.version
        return _BACKSTOP

    def _wait_for_others(self, server: Server, now: Timestamp) -> float:
        self._left.pop(server.id, None)
        if is_elsewhere(server, self._peers.node):
            self._complain(server)
        elif server.lease is not None:
            return max(0.0, server.lease.expires - now) + _AFTER
        return 0.0

    def _complain(self, server: Server) -> None:
        """Say once that nobody can look after a server."""
        if self._peers.is_manned(server.node):
            self._stranded.discard(server.id)
        elif server.id not in self._stranded:
            self._stranded.add(server.id)
            name = full_name(server.user_name, server.name)
            text = "%s is bound to the machine %s, where no hub runs: it stays as it is until one does"
            _log.warning(text, name, server.node)
