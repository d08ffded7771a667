"""How long to wait before something that has ended is started again."""

from __future__ import annotations

from dataclasses import dataclass

#: What lived for so long, in seconds, did not fail by being started.
_WELL = 0.1
_FIRST = 0.1
_LONGEST = 5.0


@dataclass(slots=True)
class BackOff:
    """Nothing at first; longer and longer for what ends at once again and again."""

    pause: float = 0.0

    def after(self, lived: float) -> float:
        """Return the seconds to wait, after something worked for so many."""
        self.pause = 0.0 if lived >= _WELL else min(max(2 * self.pause, _FIRST), _LONGEST)
        return self.pause
