"""Who may come in: how many connections an address has, and how many upgrades are under way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from carrel.dataplane.limits import Limits
from carrel.dataplane.replies import Reply

FULL = Reply(503, headers=(("Retry-After", "5"),)).encode(close=True)


@dataclass(slots=True)
class Admission:
    """Counts what the limits bound."""

    limits: Limits
    _addresses: Counter[str] = field(default_factory=Counter)
    _upgrading: set[object] = field(default_factory=set)

    def enter(self, address: str) -> bool:
        """Count a connection from an address, or return False when it has enough; an empty one never has."""
        if address and self._addresses[address] >= self.limits.per_address:
            return False
        self._addresses[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Take back what `enter` counted."""
        self._addresses[address] -= 1
        if self._addresses[address] <= 0:
            del self._addresses[address]

    def begin_upgrade(self, owner: object) -> bool:
        """Count an upgrade until `end_upgrade`, or return False when enough are under way."""
        if len(self._upgrading) >= self.limits.upgrades:
            return False
        self._upgrading.add(owner)
        return True

    def end_upgrade(self, owner: object) -> None:
        """Take back what `begin_upgrade` counted; may be repeated."""
        self._upgrading.discard(owner)

    @property
    def connections(self) -> int:
        """Return how many connections are counted."""
        return self._addresses.total()

    @property
    def upgrades(self) -> int:
        """Return how many upgrades are under way."""
        return len(self._upgrading)
