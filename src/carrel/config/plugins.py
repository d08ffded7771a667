"""Sections of traitlets classes, compared with the classes that are really in use."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from traitlets import Any as AnyTrait
from traitlets import Dict, HasTraits, List, Set, TraitError, TraitType
from traitlets.config import Config
from traitlets.config.loader import DeferredConfig, LazyConfigValue

from carrel.config.chosen import default_value
from carrel.config.names import (
    AUTHENTICATOR_ACCESS,
    AUTHENTICATOR_RENAMED,
    KNOWN_CLASSES,
    PLUGIN_RENAMED,
    is_access,
    is_gate,
    is_rule,
    nearest,
)
from carrel.config.schema import HUB_SECTIONS, Problem, Settings
from carrel.config.sections import was_set
from carrel.config.upstream import OTHER_SECTIONS, UNUSED_TRAITS
from carrel.config.values import describe
from carrel.config.watching import WATCHING

_CLOSE_CLASS = 0.85
#: How help texts of plug-ins say that a trait is old, and what they advise.
_DEPRECATED = re.compile(r"\s*deprecated\b[\s.,:;-]*([^.\n]*(?:\.\w[^.\n]*)*)", re.IGNORECASE)


def check_plugins(
    settings: Settings, classes: Sequence[type[HasTraits]], others: Sequence[type[HasTraits]] = ()
) -> list[Problem]:
    """Return what is wrong with the sections of `classes` and of classes that nobody uses.

    `classes` are those that the configuration has chosen: authenticator, spawner, proxy; `others` read it
    whatever is chosen. Nothing is instantiated.
    """
    sections = {name: _classes_of(name, (*classes, *others)) for name in settings.plugins}
    findings: list[Problem] = []
    for section, owners in sections.items():
        values = settings.plugins[section]
        if owners:
            findings += _check_section(settings, section, values, owners)
        elif section in OTHER_SECTIONS:
            findings += _other_section(settings, section, values)
        elif was_set(values) and nearest(section, HUB_SECTIONS, _CLOSE_CLASS) is None:
            findings.append(_unused_section(settings, section, values, classes))
    return findings


def _classes_of(section: str, classes: Sequence[type[HasTraits]]) -> list[type[HasTraits]]:
    return [cls for cls in classes if section in _lineage(cls)]


def _lineage(cls: type) -> list[str]:
    return [base.__name__ for base in cls.__mro__ if issubclass(base, HasTraits)]


def _is_access_section(section: str, owners: Sequence[type[HasTraits]]) -> bool:
    return section.endswith("Authenticator") or any("Authenticator" in _lineage(cls) for cls in owners)


def _check_section(
    settings: Settings, section: str, values: Config, owners: list[type[HasTraits]]
) -> Iterator[Problem]:
    traits: dict[str, TraitType[Any, Any]] = {}
    for cls in owners:
        traits |= cls.class_traits(config=True)
    access = _is_access_section(section, owners)
    for name, raw in values.items():
        if not was_set(raw):
            continue
        setting = f"{section}.{name}"
        place = settings.locations.get(setting, "")
        if isinstance(raw, Config):
            text = f"sections inside others have no effect: write c.{name}"
            place = next((at for key, at in settings.locations.items() if key.startswith(f"{setting}.")), "")
            yield Problem(setting, text, place, fatal=False, kind="unknown")
        elif (instead := _instead(name, owners)) is not None and name not in _own_traits(owners):
            if any(name in cls.class_traits() and raw == default_value(cls, name) for cls in owners):
                continue
            text = instead if instead.startswith("deprecated") else f"not used by this version: {instead}"
            kind = "deprecated" if text is instead else "unused"
            yield Problem(setting, text, place, fatal=False, kind=kind)
        elif name not in traits:
            yield _unknown(Problem(setting, "", place), name, traits, owners, access=access)
        elif (trouble := value_trouble(_owner(name, owners), name, raw)) is not None:
            yield Problem(setting, trouble, place)
        elif (advice := _DEPRECATED.match(traits[name].help)) is not None:
            text = " ".join(advice[1].split()).replace("``", "") or "it will go"
            yield Problem(setting, f"deprecated: {text}", place, fatal=False, kind="deprecated")


def _instead(name: str, owners: Sequence[type[HasTraits]]) -> str | None:
    """Return what happens in place of a trait of JupyterHub's that is read and does nothing here."""
    lineage = dict.fromkeys(base for cls in owners for base in _lineage(cls))
    return next((UNUSED_TRAITS[base][name] for base in lineage if name in UNUSED_TRAITS.get(base, {})), None)


def _own_traits(owners: Sequence[type[HasTraits]]) -> set[str]:
    """Return the traits that the classes in use declare anew, so that they may well obey them."""
    return {
        name
        for cls in owners
        for base in cls.__mro__
        if issubclass(base, HasTraits) and base.__name__ not in UNUSED_TRAITS
        for name in base.class_own_traits(config=True)
    }


def _unknown(
    found: Problem,
    name: str,
    traits: dict[str, TraitType[Any, Any]],
    owners: list[type[HasTraits]],
    *,
    access: bool,
) -> Problem:
    """Return what is wrong with a name that no class in use has; `found` says where it stands."""
    who = " and ".join(dict.fromkeys(cls.__name__ for cls in owners))
    if name in PLUGIN_RENAMED:
        text = f"deprecated, and {who} does not know it: use {PLUGIN_RENAMED[name]}"
        return replace(found, message=text, fatal=False, kind="deprecated")
    current = sorted(traits.keys() - AUTHENTICATOR_RENAMED.keys())
    near = nearest(name, current)
    grave = (is_access if access else is_rule)(name) or (
        near is not None and (is_gate if access else is_rule)(near)
    )
    meant = nearest(name, AUTHENTICATOR_ACCESS) if near is None else None
    if meant is not None and not access:
        text = f"{who} has no such setting to say who may do what: did you mean c.Authenticator.{meant}?"
        return replace(found, message=text, kind="unknown")
    if near is not None:
        effect = "" if grave else ": it has no effect"
        text = f"{who} has no such setting{effect}; did you mean {near}?"
    elif grave:
        known = ", ".join(each for each in current if (is_access if access else is_rule)(each))
        aim = "who may log in" if access else "who may do what"
        text = f"{who} has no such setting to say {aim}; it has {known or 'none that does'}"
    else:
        text = f"{who} has no such setting: it has no effect"
    return replace(found, message=text, fatal=grave, kind="unknown")


def _other_section(settings: Settings, section: str, values: Config) -> Iterator[Problem]:
    """Report what becomes of settings of JupyterHub's classes that are no plug-ins."""
    known = OTHER_SECTIONS[section]
    for name, raw in values.items():
        instead = known.get(name, known.get("*"))
        if not was_set(raw):
            continue
        setting = f"{section}.{name}"
        if instead == "":
            trouble = value_trouble(WATCHING[section], name, raw) if section in WATCHING else None
            if trouble is not None:
                yield Problem(setting, trouble, settings.locations.get(setting, ""))
            continue
        near = nearest(name, known)
        hint = f"; did you mean {near}?" if near else ""
        text = f"not used: {instead}" if instead else f"there is no such setting: it has no effect{hint}"
        kind = "unused" if instead else "unknown"
        yield Problem(setting, text, settings.locations.get(setting, ""), fatal=False, kind=kind)


def _unused_section(
    settings: Settings, section: str, values: Config, classes: Sequence[type[HasTraits]]
) -> Problem:
    place = next((at for key, at in settings.locations.items() if key.startswith(f"{section}.")), "")
    names = dict.fromkeys(name for cls in classes for name in _lineage(cls))
    found = Problem(section, "", place, fatal=False, kind="unused")
    if section in KNOWN_CLASSES:
        used = ", ".join(cls.__name__ for cls in classes)
        return replace(found, message=f"this class is not in use (in use: {used}): no effect")
    near = nearest(section, (*names, *KNOWN_CLASSES), _CLOSE_CLASS)
    if near is None:
        return replace(found, message="no class of this name is in use: no effect")
    rule = is_access if _is_access_section(near, ()) else is_rule
    opens = near in names and any(rule(name) for name in values)
    text = f"no class of this name is in use; did you mean c.{near}?"
    return replace(found, message=text, fatal=opens, kind="unknown")


def _owner(name: str, owners: Sequence[type[HasTraits]]) -> type[HasTraits]:
    return next(cls for cls in reversed(owners) if name in cls.class_traits(config=True))


def value_trouble(cls: type[HasTraits], name: str, raw: Any) -> str | None:
    """Return what a trait of a class has against a value as it stands in the configuration, or None."""
    trait = cls.class_traits()[name]
    try:
        value = _value(cls, trait, raw)
        if value is None and trait.allow_none:
            return None
        validate = getattr(trait, "validate", None)
        if validate is not None:
            validate(HasTraits(), value)
    except TraitError:
        return f"it must be {wanted(trait)}, not {describe(name, raw)}"
    except Exception:  # a trait that needs its real object can only judge when there is one
        return None
    return None


def _value(cls: type[HasTraits], trait: TraitType[Any, Any], raw: Any) -> Any:
    if isinstance(raw, LazyConfigValue):
        empty: dict[Any, Any] = {Dict: {}, List: [], Set: set()}
        kind = next((kind for kind in empty if isinstance(trait, kind)), None)
        start = empty[kind] if kind else default_value(cls, trait.name or "")
        return copy.deepcopy(raw).get_value(start)
    return raw.get_value(trait) if isinstance(raw, DeferredConfig) else raw


def wanted(trait: TraitType[Any, Any]) -> str:
    """Return what a trait takes, in words that are not Python's."""
    kind = str(trait.info())
    for word, plain in _PLAIN.items():
        kind = re.sub(rf"\b{word}\b", plain, kind)
    values = getattr(trait, "_value_trait", None) or getattr(trait, "_trait", None)
    if isinstance(trait, List | Set | Dict) and values is not None and type(values) is not AnyTrait:
        kind += f" in which every value is {wanted(values)}"
    return kind


_PLAIN = {
    "a unicode string": "a text",
    "an int": "a whole number",
    "a boolean": "True or False",
    "a float": "a number",
    "a dict": "a dictionary",
}
