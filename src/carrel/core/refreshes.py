"""When the authenticator was last asked about each user, as this hub knows it."""

from __future__ import annotations

_CAPACITY = 20_000


class Refreshes:
    """Moments by the monotonic clock; those of longest ago are forgotten when there are very many users."""

    def __init__(self) -> None:
        self._asked: dict[int, float] = {}

    def is_due(self, user_id: int, now: float, age: float) -> bool:
        """Tell whether a user was not asked about within `age` seconds."""
        asked = self._asked.get(user_id)
        return asked is None or now - asked >= age

    def note(self, user_id: int, moment: float) -> None:
        """Note that a user was asked about, or has just signed in."""
        self._asked.pop(user_id, None)
        self._asked[user_id] = moment
        if len(self._asked) > _CAPACITY:
            del self._asked[next(iter(self._asked))]

    def forget(self, user_id: int) -> None:
        """Have the next question about a user be due."""
        self._asked.pop(user_id, None)
