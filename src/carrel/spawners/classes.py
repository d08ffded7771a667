"""The classes that drive servers: the configuration's, and those of runs from before it changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from carrel.lib.registry import name_of
from carrel.spawners.base import Spawner


class UnknownSpawner(Exception):
    """A run was started by a class that is not to be had any more; `hint` says what helps."""

    def __init__(self, name: str) -> None:
        super().__init__(f"its spawner {name} is neither in the configuration nor installed")
        self.hint = (
            f"The administrator has to put {name} back: install it, and name it in c.Profiles.spawners or"
            " c.JupyterHub.spawner_class. The server is left as it is until then."
        )


def _nothing(_: str) -> type[Spawner] | None:
    return None


class SpawnerClasses:
    """Classes by their full names. Nothing is imported but what `known` finds."""

    def __init__(
        self,
        default: type[Spawner],
        others: Iterable[type[Spawner]] = (),
        known: Callable[[str], type[Spawner] | None] = _nothing,
    ) -> None:
        self.default = default
        self._found = {name_of(cls): cls for cls in (default, *others)}
        self._known = known

    def of(self, name: str) -> type[Spawner]:
        """Return the class of this full name, of an empty one the default; raise UnknownSpawner."""
        if not name:
            return self.default
        if name not in self._found:
            cls = self._known(name)
            if cls is None:
                raise UnknownSpawner(name)
            self._found[name] = cls
        return self._found[name]

    def all(self) -> list[type[Spawner]]:
        """Return those that servers may have: the configuration's, and those that runs have asked for."""
        return list(self._found.values())
