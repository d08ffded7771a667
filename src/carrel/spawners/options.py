"""What people choose before a start: from the form to the driver's settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from traitlets import HasTraits

from carrel.lib.awaiting import resolve
from carrel.lib.calling import call_fitting, is_asked

FormData = Mapping[str, Any]


def passthrough(form: FormData) -> dict[str, Any]:
    """Return the form as it came: each field a list of strings."""
    return dict(form)


def simple(form: FormData) -> dict[str, Any]:
    """Return the form with single values in place of lists of one."""
    return {key: value[0] if _is_single(value) else value for key, value in form.items()}


def _is_single(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 1


READERS: Mapping[str, Callable[[FormData], dict[str, Any]]] = {"passthrough": passthrough, "simple": simple}


async def read_form(reader: Any, form: FormData, spawner: HasTraits) -> dict[str, Any]:
    """Return the options that `reader` makes of a form: a name in READERS or a callable (form[, spawner])."""
    if isinstance(reader, str):
        try:
            return READERS[reader](form)
        except KeyError:
            raise ValueError(
                f"Spawner.options_from_form: {reader!r} is neither a callable nor one of {', '.join(READERS)}"
            ) from None
    return dict(await resolve(call_fitting(reader, form, spawner)) or {})


async def apply(rule: Any, options: Mapping[str, Any], spawner: HasTraits) -> None:
    """Apply chosen options to the driver: `rule` is a callable, a mapping of option to trait, or None."""
    if callable(rule):
        await resolve(rule(spawner, dict(options)))
        return
    for option, trait in (rule or {}).items():
        if option in options:
            setattr(spawner, trait, options[option])


async def override_for_groups(rule: Any, groups: Collection[str], spawner: HasTraits) -> None:
    """Apply `group_overrides`: in order of its keys, each entry that shares a group with the user.

    A dictionary is merged into the trait's value (None removes a key); anything else replaces it.
    """
    entries = await resolve(rule(spawner)) if callable(rule) else rule
    for _, entry in sorted((entries or {}).items()):
        if set(groups).isdisjoint(entry["groups"]):
            continue
        for trait, value in entry["spawner_override"].items():
            override(spawner, {trait: await resolve(value(spawner)) if callable(value) else value})


def override(spawner: HasTraits, overrides: Mapping[str, Any]) -> None:
    """Set traits: a mapping is merged into the trait's own (None removes a key), the rest replaces it.

    Raises TraitError. May be repeated.
    """
    for trait, wanted in overrides.items():
        present = getattr(spawner, trait)
        merge = isinstance(wanted, dict) and isinstance(present, dict)
        setattr(spawner, trait, _merged(present, wanted) if merge else wanted)


def known_overrides(spawner: HasTraits, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return those whose values are known, without functions that are to be asked."""
    return {name: value for name, value in overrides.items() if not _is_asked(spawner, name, value)}


async def override_asking(spawner: HasTraits, overrides: Mapping[str, Any]) -> None:
    """Set traits as `override` does; functions are asked for the value, with the spawner."""
    for name, value in overrides.items():
        asked = _is_asked(spawner, name, value)
        override(spawner, {name: await resolve(value(spawner)) if asked else value})


def _is_asked(spawner: HasTraits, name: str, value: Any) -> bool:
    trait = spawner.traits().get(name) if callable(value) else None
    return trait is not None and is_asked(trait, value)


def _merged(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(present)
    for key, value in wanted.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result
