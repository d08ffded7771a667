"""The hubs that share the database, as this one last heard of them."""

from __future__ import annotations

from collections.abc import Sequence

from carrel.domain.hubs import Hub, whose_turn
from carrel.domain.servers import Actual, Server


class Peers:
    """This hub process and the others.

    `owner` names the process and `node` its machine, `url` is where it is reached.
    """

    def __init__(self, owner: str = "", node: str = "", url: str = "") -> None:
        self.owner = owner
        self.node = node
        self.url = url
        self.others: tuple[Hub, ...] = ()
        self._nodes = {owner: node}

    def update(self, alive: Sequence[Hub]) -> bool:
        """Take over which hubs are alive; tell whether the others are not those of the last time."""
        others = tuple(hub for hub in alive if hub.owner != self.owner)
        changed = [hub.owner for hub in others] != [hub.owner for hub in self.others]
        self.others = others
        self._nodes = {self.owner: self.node} | {hub.owner: hub.node for hub in others}
        return changed

    def is_our_turn(self, server: Server) -> bool:
        """Tell whether this hub is the one that works on a server while all are alive.

        What is bound to a machine is the turn of a hub that is there.
        """
        if not self.others:
            return True
        bound = server.node if server.actual not in (Actual.STOPPED, Actual.FAILED) else ""
        owners = [owner for owner, node in self._nodes.items() if not bound or node == bound]
        return whose_turn(server.id, owners) == self.owner

    def is_manned(self, node: str) -> bool:
        """Tell whether a hub is alive on a machine."""
        return node in self._nodes.values()
