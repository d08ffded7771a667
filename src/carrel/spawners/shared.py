"""What the drivers of one hub process have in common: a connection to an engine, a watch on a cluster.

A driver lives as long as one run, and there may be thousands; what they all need is made once and ends with
the hub.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable


class Closable(Protocol):
    """Something that has to be ended."""

    async def close(self) -> None:
        """End it; may be repeated."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A value at the moment, for the hub's metrics."""

    name: str
    """In Prometheus' spelling; one name has the same text and the same names of labels everywhere."""
    text: str
    labels: tuple[tuple[str, str], ...]
    value: float
    counts: bool = False
    """It only grows, and has its name without `_total`."""


@runtime_checkable
class Measured(Protocol):
    """Something whose state administrators may want to watch."""

    def measures(self) -> Iterable[Measure]:
        """Return its values at the moment."""


T = TypeVar("T", bound=Closable)


class Shared:
    """Things by their keys, each made by whoever asks for it first."""

    def __init__(self) -> None:
        self._held: dict[Hashable, Closable] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what is held under `key`, made now by `make` if there is none; raises what `make` raises.

        The first part of a key should be the class that is made, so that different drivers never meet.
        """
        if key not in self._held:
            self._held[key] = make()
        return self._held[key]  # type: ignore[return-value]  # whoever uses a key knows what is behind it

    def measures(self) -> Iterator[Measure]:
        """Return the values at the moment of everything that has any."""
        for thing in tuple(self._held.values()):
            if isinstance(thing, Measured):
                yield from thing.measures()

    async def close(self) -> None:
        """End everything, the latest first; may be repeated."""
        while self._held:
            _, thing = self._held.popitem()
            await thing.close()
