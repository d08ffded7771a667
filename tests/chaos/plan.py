"""What is killed, and when: all of it from one seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What a `kill -9` hits."""

    HUB = "hub"
    PLANE = "data plane"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill, counted from the last start of the hub."""

    target: Target
    after_ready: bool
    """Wait until the hub answers first; else it may be hit while it starts."""
    pause: float
    """Seconds to wait then."""
    aimed: bool
    """Hold the hub with SIGSTOP first, and strike when a start has no checkpoint yet."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The size of a run. The first half kills only hubs, and no websocket may break meanwhile."""

    kills: int
    seed: int
    users: int = 50
    sockets: int = 50
    keepers: int = 10
    """How many servers nobody stops, for the websockets."""
    tempo: float = 1.0
    """How many times longer the pauses are, where servers take their time to start."""

    @property
    def hub_only(self) -> int:
        """Return how many kills hit nothing but the hub."""
        return self.kills // 2

    def sequence(self) -> Iterator[Kill]:
        """Yield the kills, the same for the same seed."""
        dice = random.Random(self.seed)
        for number in range(self.kills):
            target = Target.HUB
            if number >= self.hub_only:
                target = dice.choices([Target.HUB, Target.PLANE, Target.BOTH], [40, 20, 40])[0]
            after_ready = target is Target.PLANE or dice.random() < 0.6
            pause = dice.uniform(0, 0.3 if after_ready else 0.45)
            yield Kill(target, after_ready, pause * self.tempo, aimed=after_ready and dice.random() < 0.5)
