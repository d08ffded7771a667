"""Settings of a driver that a profile overrides, compared with what its class takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from traitlets import HasTraits

from carrel.config.entries import Entry
from carrel.config.names import nearest
from carrel.config.plugins import value_trouble
from carrel.lib.calling import is_asked


@dataclass(frozen=True, slots=True)
class Overriding:
    """What settings a driver's class takes; nothing is instantiated."""

    cls: type[HasTraits]
    strict: bool = True
    """Without it, settings that the class has not are left out with a warning."""

    def check(self, entry: Entry, key: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return those that the class has and takes; note the others below `key`, by their names."""
        traits = self.cls.class_traits()
        known = self.names(entry, key, overrides)
        good: dict[str, Any] = {}
        for name, value in known.items():
            trouble = None
            if not is_asked(traits[name], value):
                trouble = value_trouble(self.cls, name, _without_removals(value))
            if trouble is None:
                good[name] = value
            else:
                entry.fault(f"{key}.{name}", trouble)
        return good

    def takes(self, overrides: Mapping[str, Any]) -> bool:
        """Tell whether the class has and takes all of them."""
        return self.check(Entry({}, "", []), "", overrides) == overrides

    def names(self, entry: Entry, key: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Return those that the class has; note the others. For templates, whose values come later."""
        traits = self.cls.class_traits(config=True)
        for name in overrides:
            if name not in traits:
                near = nearest(name, traits)
                text = f"{self.cls.__name__} has no such setting"
                effect = "" if self.strict else ": it has no effect"
                advice = f"; did you mean {near}?" if near else ""
                entry.fault(f"{key}.{name}", f"{text}{effect}{advice}", fatal=self.strict)
        return {name: value for name, value in overrides.items() if name in traits}


def _without_removals(value: Any) -> Any:
    """Return a value as it is checked: None in a mapping removes a key."""
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, Mapping) else value
