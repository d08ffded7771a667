"""Dictionaries of a configuration, read key by key: what is wrong is noted with its place, all of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from carrel.config.names import nearest
from carrel.config.values import describe

T = TypeVar("T")
#: What is wrong, and whether the hub cannot start with it.
Fault = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """One dictionary and where it stands, such as `profile 'gpu': options.memory`."""

    values: Mapping[Any, Any]
    where: str
    faults: list[Fault]
    called: Mapping[str, str] = field(default_factory=dict)
    """What keys were called by who wrote them, where that is not as here: for messages."""

    def fault(self, key: str, text: str, *, fatal: bool = True) -> None:
        """Note what is wrong with a key, or with one below it; with an empty key it is the whole."""
        self.faults.append((f"{self._place(key)}: {text}", fatal))

    def _place(self, key: str) -> str:
        if not key:
            return self.where
        joint = "." if ": " in self.where else ": "
        return self.where + joint + ".".join(self.called.get(word, word) for word in key.split("."))

    def only(self, known: Iterable[str], fatal: Callable[[str], bool] = lambda _: True) -> None:
        """Note keys that nobody reads; `fatal` says which of them the hub cannot start with."""
        names = list(known)
        for key in self.values:
            if key not in names:
                near = nearest(str(key)[:80], names)
                shown = ", ".join(self.called.get(name, name) for name in names)
                advice = f"did you mean {self.called.get(near, near)}?" if near else f"there are {shown}"
                self.fault(str(key)[:80], f"there is no such key: {advice}", fatal=fatal(str(key)))

    def text(self, key: str, default: str = "") -> str:
        """Return a text; a number or an empty one stands for itself."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        return self._typed(key, value, str, "a text", default)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return True or False."""
        return self._typed(key, self.values.get(key, default), bool, "True or False", default)

    def number(self, key: str, default: float | None = None) -> float | int | None:
        """Return a number, None when none is given and there is no default."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        self.fault(key, f"it must be a number, not {describe(key, value)}")
        return default

    def mapping(self, key: str) -> dict[str, Any]:
        """Return a dictionary of texts to anything."""
        value = self._typed(key, self.values.get(key) or {}, dict, "a dictionary", {})
        if not all(isinstance(name, str) for name in value):
            self.fault(key, "its keys must be texts")
            return {}
        return dict(value)

    def names(self, key: str) -> frozenset[str] | None:
        """Return a set of texts, None when none is given."""
        value = self.values.get(key)
        if value is None:
            return None
        fits = isinstance(value, list | tuple | set | frozenset) and all(isinstance(x, str) for x in value)
        if not fits:
            self.fault(key, f"it must be a list of names, not {describe(key, value)}")
            return frozenset()
        return frozenset(value)

    def pattern(self, key: str, default: re.Pattern[str] | None = None) -> re.Pattern[str] | None:
        """Return a compiled pattern; one that cannot be is noted, and then nothing fits."""
        value = self.text(key)
        if not value:
            return default
        try:
            return re.compile(value)
        except re.error as error:
            self.fault(key, f"it must be a regular expression: {error}")
            return re.compile(r"(?!)")

    def part(self, key: str, value: object) -> Entry | None:
        """Return a dictionary below this one; note one that is none, and return None."""
        if not isinstance(value, Mapping):
            self.fault(key, f"it must be a dictionary, not {describe(key, value)}")
            return None
        return Entry(value, self._place(key), self.faults, self.called)

    def _typed(self, key: str, value: object, kind: type[T], wanted: str, default: T) -> T:
        if isinstance(value, kind):
            return value
        self.fault(key, f"it must be {wanted}, not {describe(key, value)}")
        return default
