"""A configuration together with the classes that it chooses: what each of their traits will be."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traitlets import HasTraits
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from carrel.config.schema import Problem, Settings
from carrel.config.sections import was_set


class _Nothing:
    """Stands where nothing is set, for None is a value."""


_NOTHING = _Nothing()


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings and classes. Nothing is instantiated, so that nothing starts."""

    settings: Settings
    authenticator: type[HasTraits]
    spawner: type[HasTraits]
    proxy: type[HasTraits]
    wrapped: tuple[type[HasTraits], ...] = ()
    """Spawners that the spawner chooses from."""
    others: tuple[type[HasTraits], ...] = ()
    """What else has a section that is read, whatever is chosen."""

    @property
    def classes(self) -> list[type[HasTraits]]:
        """All of them."""
        return [self.authenticator, self.spawner, self.proxy, *self.wrapped, *self.others]

    def value(self, cls: type[HasTraits], name: str) -> Any:
        """Return what a trait will be, None when the class has no such trait."""
        if name not in cls.class_traits():
            return None
        found = self._given(cls, name)
        lazy = isinstance(found, LazyConfigValue)
        if found is not _NOTHING and not lazy:
            return found
        # A default may hang on what other traits are set to.
        others = {other: self._given(cls, other) for other in cls.class_traits(config=True) if other != name}
        known = {
            key: _settle(value, default_value(cls, key))
            for key, value in others.items()
            if not isinstance(value, _Nothing)
        }
        default = default_value(cls, name, known)
        return _settle(found, default) if lazy else default

    def _given(self, cls: type[HasTraits], name: str) -> Any:
        """Return what the sections of a class set a trait to, `_NOTHING` when they do not."""
        value: Any = _NOTHING
        for section in _sections(cls):
            values = self.settings.plugins.get(section, {})
            if name not in values or not was_set(values[name]):
                continue
            raw = values[name]
            if isinstance(raw, LazyConfigValue):
                value = _settle(raw, value) if isinstance(value, list | dict | set) else raw
            else:
                value = raw.get_value(cls.class_traits()[name]) if isinstance(raw, DeferredConfig) else raw
        return value

    def of_authenticator(self, name: str) -> Any:
        """Return what a trait of the authenticator will be, None when it has none of that name."""
        return self.value(self.authenticator, name)

    def of_spawner(self, name: str) -> Any:
        """Return what a trait of the spawner will be, None when it has none of that name."""
        return self.value(self.spawner, name)

    def written(self, cls: type[HasTraits], name: str) -> str:
        """Return where a trait was set, as `Section.name`; that of the class itself when it was not."""
        for section in reversed(_sections(cls)):
            values = self.settings.plugins.get(section, {})
            if name in values and was_set(values[name]):
                return f"{section}.{name}"
        return f"{cls.__name__}.{name}"

    def hub_setting(self, name: str) -> str:
        """Return a setting of the hub as it was written."""
        return self.settings.written_as(name)

    def problem(self, setting: str, message: str, kind: str) -> Problem:
        """Return a problem that is not fatal, with its place."""
        place = self.settings.locations.get(setting, "")
        return Problem(setting, message, place, fatal=False, kind=kind)


def _settle(value: Any, start: Any) -> Any:
    """Return what a record of `append` and `update` calls makes of `start`; any other value as it is."""
    return copy.deepcopy(value).get_value(start) if isinstance(value, LazyConfigValue) else value


def lineage(cls: type) -> list[str]:
    """Return the names of a class and its bases, the class first."""
    return [base.__name__ for base in cls.__mro__]


def default_value(cls: type[HasTraits], name: str, others: Mapping[str, Any] | None = None) -> Any:
    """Return a trait's default, also one that the class works out of `others`, without a real object."""
    with contextlib.suppress(Exception):  # a plug-in's method, which may want anything
        bare = cls.__new__(cls)
        # Past observers and validators: they are for objects that are to work.
        bare._trait_values.update(others or {})
        return getattr(bare, name)
    return cls.class_traits()[name].default_value


def _sections(cls: type[HasTraits]) -> list[str]:
    """Return the sections that configure a class, the most general first, as traitlets reads them."""
    return [base.__name__ for base in reversed(cls.__mro__) if issubclass(base, HasTraits)]
