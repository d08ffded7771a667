"""Failing fast while all starts of one kind fail: nobody waits a minute to be told what is known.

A kind is a driver with a command, or with a profile of a form. After some failures in a row that are not one
person's alone its starts are refused for a while; then one is let through, and its outcome decides for all.
Each hub keeps its own count in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence, diagnose
from carrel.domain.servers import Failure
from carrel.lib.clock import Clock
from carrel.spawners.base import Spawner
from carrel.spawners.repositories import OPTION

#: So many failures in a row…
FAILURES = 5
#: …of so many people…
USERS = 3
#: …within so many seconds open the circuit…
WINDOW = 600.0
#: …for so many seconds.
PAUSE = 60.0
_KINDS = 1000


@dataclass(slots=True)
class _Kind:
    failures: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=FAILURES))
    """When the last ones failed, and whose they were; a success empties it."""
    closed_until: float | None = None
    """While it is set, starts are refused: until then all, and afterwards all but one each pause."""
    last: str = ""
    """The cause of the last failure: its code alone, for the sentence may name what is another person's."""


class Breaker:
    """What became of the last starts of each kind."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        self.in_a_row = 0
        """How many starts of any kind have failed since the last one that did not."""

    def refusal(self, kind: str, *, always: bool = False) -> Failure | None:
        """Return why a start of this kind is refused now, or None when it may go on.

        The one that is let through after the pause is the next try, until another pause has passed. `always`
        lets a start through whatever became of others.
        """
        known, now = self._kinds.get(kind), self._clock.monotonic()
        if always or known is None or known.closed_until is None:
            return None
        if now >= known.closed_until:
            known.closed_until = now + PAUSE
            return None
        seconds = max(1, round(known.closed_until - now))
        return diagnose(
            Evidence(
                stage=Stage.WAITING,
                end=End.REFUSED,
                limit=seconds,
                facts={"refusal": "circuit", "kind": kind, "last": known.last},
            )
        )

    def succeeded(self, kind: str) -> None:
        """A start of this kind has led to a server that answers."""
        self._kinds.pop(kind, None)
        self.in_a_row = 0

    def failed(self, kind: str, user_id: int, failure: Failure) -> bool:
        """A start of this kind has failed; tell whether that opened the circuit."""
        self.in_a_row += 1
        now = self._clock.monotonic()
        known = self._kinds.pop(kind, None) or _Kind()
        self._kinds[kind] = known
        while len(self._kinds) > _KINDS:
            # What failed longest ago: people may choose the names of profiles.
            self._kinds.pop(next(iter(self._kinds)))
        known.failures.append((now, user_id))
        known.last = failure.code
        recent = [whose for moment, whose in known.failures if moment > now - WINDOW]
        was_open = known.closed_until is not None
        if was_open or (len(recent) >= FAILURES and len(set(recent)) >= USERS):
            known.closed_until = now + PAUSE
        return known.closed_until is not None and not was_open


def kind_of(driver: Spawner) -> str:
    """Return what kind of start this is, for people: the driver, and the profile or else the command.

    Starts from a repository are a kind of their own: one that cannot be built is nobody else's trouble.
    """
    profile = driver.user_options.get("profile")
    what = profile[0] if isinstance(profile, list) and profile else profile
    if not isinstance(what, str) or not what:
        what = " ".join(map(str, driver.cmd or ()))
    chosen = [driver.user_options.get(OPTION), *(each.get(OPTION) for each in driver.profile_overrides)]
    for repository in chosen:
        if isinstance(repository, Mapping):
            what = f"{what:.40} {repository.get('repo')}"
    name = type(driver).__name__
    return f"{name}: {what:.100}" if what else name
