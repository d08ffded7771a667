"""A configuration together with the classes that it chooses: what each of their traits will be."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass
from typing import Any

from traitlets import HasTraits
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from carrel.config.schema import Problem, Settings
from carrel.config.sections import was_set


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings and classes. Nothing is instantiated, so that nothing starts."""

    settings: Settings
    authenticator: type[HasTraits]
    spawner: type[HasTraits]
    proxy: type[HasTraits]

    @property
    def classes(self) -> list[type[HasTraits]]:
        """The three classes."""
        return [self.authenticator, self.spawner, self.proxy]

    def value(self, cls: type[HasTraits], name: str) -> Any:
        """Return what a trait will be, None when the class has no such trait."""
        trait = cls.class_traits().get(name)
        if trait is None:
            return None
        value = default_value(cls, name)
        for section in _sections(cls):
            raw = self.settings.plugins.get(section, {}).get(name)
            if raw is None or not was_set(raw):
                continue
            if isinstance(raw, LazyConfigValue):
                value = copy.deepcopy(raw).get_value(value)
            else:
                value = raw.get_value(trait) if isinstance(raw, DeferredConfig) else raw
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
        own = [each for each in self.settings.written if each.partition(".")[2] == name]
        return own[-1] if own else f"JupyterHub.{name}"

    def problem(self, setting: str, message: str, kind: str) -> Problem:
        """Return a problem that is not fatal, with its place."""
        place = self.settings.locations.get(setting, "")
        return Problem(setting, message, place, fatal=False, kind=kind)


def lineage(cls: type) -> list[str]:
    """Return the names of a class and its bases, the class first."""
    return [base.__name__ for base in cls.__mro__]


def default_value(cls: type[HasTraits], name: str) -> Any:
    """Return a trait's default, also one that the class works out; None when that takes a real object."""
    with contextlib.suppress(Exception):  # a plug-in's method, which may want anything
        return getattr(cls.__new__(cls), name)
    return cls.class_traits()[name].default_value


def _sections(cls: type[HasTraits]) -> list[str]:
    """Return the sections that configure a class, the most general first, as traitlets reads them."""
    return [base.__name__ for base in reversed(cls.__mro__) if issubclass(base, HasTraits)]
