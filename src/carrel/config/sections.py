"""Sections for traitlets classes: names of sections that cannot be, and old names of what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from carrel.config.names import AUTHENTICATOR_RENAMED, is_access, nearest
from carrel.config.schema import HUB_SECTIONS, Problem

_CLOSE = 0.85
_BASES = ("Authenticator", "Spawner", "Proxy")


@dataclass(frozen=True, slots=True)
class Sections:
    """All that is not the hub's own, to be put right in place."""

    plugins: Config
    locations: dict[str, str]
    add: Callable[[Problem], None]

    def tidy(self) -> None:
        """Report what cannot be and remove it, and follow names that have changed."""
        for section in list(self.plugins):
            value = self.plugins[section]
            if not isinstance(value, Config):
                self._drop(section, value)
                continue
            near = nearest(section, HUB_SECTIONS, _CLOSE)
            if near is not None:
                text = f"there is no class {section}: it has no effect; did you mean c.{near}?"
                self._report_section(section, text, fatal=any(map(is_access, value)))
            if section.endswith("Authenticator"):
                for old, new in AUTHENTICATOR_RENAMED.items():
                    self._rename(section, old, new)

    def _drop(self, section: str, value: Any) -> None:
        """Report `c.name`, which is no section: traitlets keeps what is set below it and never looks."""
        near = nearest(section, (*HUB_SECTIONS, *_BASES), _CLOSE)
        wanted = f"c.{near}" if near else "a class such as c.JupyterHub"
        below = [] if not isinstance(value, LazyConfigValue) else list(_below(value))
        text = f"there is no c.{section}: it has no effect, for settings belong to {wanted}"
        self._report_section(section, text, fatal=any(map(is_access, (section, *below))))
        del self.plugins[section]

    def _report_section(self, section: str, text: str, *, fatal: bool) -> None:
        place = self.locations.get(section) or next(
            (at for key, at in self.locations.items() if key.startswith(f"{section}.")), ""
        )
        self.add(Problem(section, text, place, fatal, "unknown"))

    def _rename(self, section: str, old: str, new: str) -> None:
        values = self.plugins[section]
        if old not in values or not was_set(values[old]):
            return
        setting = f"{section}.{old}"
        place = self.locations.get(setting, "")
        if new in values and was_set(values[new]):
            text = f"deprecated, and ignored because {new} is set too: remove it"
        else:
            values[new] = values[old]
            self.locations[f"{section}.{new}"] = place
            text = f"deprecated: it is now called {new}"
            if new == "allowed_users" and not values[new]:
                text += ", and empty it admits nobody: for everybody set allow_all = True"
        self.add(Problem(setting, text, place, fatal=False, kind="deprecated"))
        del values[old]


def was_set(raw: Any) -> bool:
    """Tell whether a value was set, rather than looked at: `c.Spawner.cmd` alone makes an empty record."""
    if isinstance(raw, Config):
        return any(map(was_set, raw.values()))
    return not (isinstance(raw, LazyConfigValue) and not raw.to_dict())


def lift_nested(config: Config, plugins: Config, locations: dict[str, str]) -> Iterator[Problem]:
    """Move sections that stand in one of the hub's (`c.JupyterHub.Spawner.cmd`); yield a word on each."""
    for outer in HUB_SECTIONS:
        for section, values in list(config.get(outer, {}).items()):
            if not isinstance(values, Config):
                continue
            del config[outer][section]
            for name, raw in values.items():
                if was_set(raw):
                    full = f"{outer}.{section}.{name}"
                    place = locations.get(full, "")
                    text = f"read as c.{section}.{name}: write it there"
                    if name not in plugins[section]:
                        plugins[section][name] = raw
                        locations[f"{section}.{name}"] = place
                    yield Problem(full, text, place, fatal=False, kind="deprecated")


def _below(value: LazyConfigValue) -> Iterator[str]:
    return (name for name in vars(value) if not name.startswith("_"))
