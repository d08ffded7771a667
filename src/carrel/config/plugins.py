"""Sections of traitlets classes, compared with the classes that are really in use."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Dict, HasTraits, List, Set, TraitError, TraitType
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from carrel.config.names import AUTHENTICATOR_RENAMED, KNOWN_CLASSES, PLUGIN_RENAMED, is_access, nearest
from carrel.config.schema import Problem, Settings
from carrel.config.values import describe

_CLOSE_CLASS = 0.85


def check_plugins(settings: Settings, classes: Sequence[type[HasTraits]]) -> list[Problem]:
    """Return what is wrong with the sections of `classes` and of classes that nobody uses.

    `classes` are those that the hub has chosen: authenticator, spawner, proxy and whatever else reads
    the configuration. Nothing is instantiated.
    """
    sections = {name: _classes_of(name, classes) for name in settings.plugins}
    findings: list[Problem] = []
    for section, owners in sections.items():
        values = settings.plugins[section]
        if owners:
            findings += _check_section(settings, section, values, owners)
        elif _was_set(values):
            findings.append(_unused_section(settings, section, values, classes))
    return findings


def _classes_of(section: str, classes: Sequence[type[HasTraits]]) -> list[type[HasTraits]]:
    return [cls for cls in classes if section in _lineage(cls)]


def _lineage(cls: type) -> list[str]:
    return [base.__name__ for base in cls.__mro__ if issubclass(base, HasTraits)]


def _is_access_section(section: str, owners: Sequence[type[HasTraits]]) -> bool:
    return section.endswith("Authenticator") or any("Authenticator" in _lineage(cls) for cls in owners)


def _was_set(values: Config) -> bool:
    return any(not (isinstance(raw, LazyConfigValue) and not raw.to_dict()) for raw in values.values())


def _check_section(
    settings: Settings, section: str, values: Config, owners: list[type[HasTraits]]
) -> Iterator[Problem]:
    traits: dict[str, TraitType[Any, Any]] = {}
    for cls in owners:
        traits |= cls.class_traits(config=True)
    for name, raw in values.items():
        if isinstance(raw, Config) or (isinstance(raw, LazyConfigValue) and not raw.to_dict()):
            continue
        setting = f"{section}.{name}"
        place = settings.locations.get(setting, "")
        if name not in traits:
            text, fatal = _unknown(name, traits, owners, access=_is_access_section(section, owners))
            yield Problem(setting, text, place, fatal)
        elif (trouble := value_trouble(traits[name], raw)) is not None:
            yield Problem(setting, trouble, place)


def _unknown(
    name: str, traits: dict[str, TraitType[Any, Any]], owners: list[type[HasTraits]], *, access: bool
) -> tuple[str, bool]:
    who = " and ".join(cls.__name__ for cls in owners)
    if name in PLUGIN_RENAMED:
        return f"deprecated, and {who} does not know it: use {PLUGIN_RENAMED[name]}", False
    current = sorted(traits.keys() - AUTHENTICATOR_RENAMED.keys())
    near = nearest(name, current)
    if near is not None:
        return f"{who} has no such setting; did you mean {near}?", True
    if access and is_access(name):
        known = ", ".join(each for each in current if is_access(each))
        return f"{who} has no such setting to say who may log in; it has {known}", True
    return f"{who} has no such setting: it has no effect", False


def _unused_section(
    settings: Settings, section: str, values: Config, classes: Sequence[type[HasTraits]]
) -> Problem:
    place = next((at for key, at in settings.locations.items() if key.startswith(f"{section}.")), "")
    names = dict.fromkeys(name for cls in classes for name in _lineage(cls))
    if section in KNOWN_CLASSES:
        used = ", ".join(cls.__name__ for cls in classes)
        return Problem(section, f"this class is not in use (in use: {used}): no effect", place, fatal=False)
    near = nearest(section, (*names, *KNOWN_CLASSES), _CLOSE_CLASS)
    if near is None:
        return Problem(section, "no class of this name is in use: no effect", place, fatal=False)
    opens = near in names and _is_access_section(near, ()) and any(is_access(name) for name in values)
    text = f"no class of this name is in use; did you mean c.{near}?"
    return Problem(section, text, place, fatal=opens)


def value_trouble(trait: TraitType[Any, Any], raw: Any) -> str | None:
    """Return what a trait has against a value as it stands in the configuration, or None."""
    name = trait.name or ""
    try:
        value = _value(trait, raw)
        if value is None and trait.allow_none:
            return None
        validate = getattr(trait, "validate", None)
        if validate is not None:
            validate(HasTraits(), value)
    except TraitError:
        return f"it must be {_wanted(trait)}, not {describe(name, raw)}"
    except Exception:  # a trait that needs its real object can only judge when there is one
        return None
    return None


def _value(trait: TraitType[Any, Any], raw: Any) -> Any:
    if isinstance(raw, LazyConfigValue):
        empty: dict[Any, Any] = {Dict: {}, List: [], Set: set()}
        kind = next((kind for kind in empty if isinstance(trait, kind)), None)
        return copy.deepcopy(raw).get_value(empty[kind]) if kind else trait.default_value
    return raw.get_value(trait) if isinstance(raw, DeferredConfig) else raw


def _wanted(trait: TraitType[Any, Any]) -> str:
    """Return what a trait takes, in words that are not Python's."""
    kind = str(trait.info())
    for word, plain in _PLAIN.items():
        kind = re.sub(rf"\b{word}\b", plain, kind)
    values = getattr(trait, "_value_trait", None) or getattr(trait, "_trait", None)
    if isinstance(trait, List | Set | Dict) and values is not None and type(values) is not AnyTrait:
        kind += f" in which every value is {_wanted(values)}"
    return kind


_PLAIN = {
    "a unicode string": "a text",
    "an int": "a whole number",
    "a boolean": "True or False",
    "a float": "a number",
    "a dict": "a dictionary",
}
