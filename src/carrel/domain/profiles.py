"""Profiles: what people choose between before a start, who may choose what, and what a choice comes to."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carrel.domain.devices import title_of
from carrel.domain.errors import Invalid
from carrel.domain.profile_options import OTHER, UNLISTED, Option, Overrides, Unfit, plain, shown

PROFILE, OPTIONS = "profile", "options"
#: How KubeSpawner's programs name the text beside a list of choices.
_UNLISTED_END = f"--{UNLISTED}"
_BYTES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", re.IGNORECASE)
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One kind of server that people can choose."""

    id: str
    title: str
    description: str = ""
    spawner: str = ""
    """The full name of the class of its driver; empty for the configured one."""
    overrides: Overrides = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    groups: frozenset[str] | None = None
    """Who may choose it, beside `users`; with neither everybody may."""
    users: frozenset[str] | None = None
    default: bool = False
    price: str = ""

    def is_open_to(self, user: str, groups: Collection[str]) -> bool:
        """Tell whether a user of these groups may choose it."""
        if self.groups is None and self.users is None:
            return True
        return user in (self.users or ()) or not (self.groups or frozenset()).isdisjoint(groups)

    def option(self, name: str) -> Option | None:
        """Return one of its options, None when there is none of this name."""
        return next((option for option in self.options if option.name == name), None)


@dataclass(frozen=True, slots=True)
class Selection:
    """A profile with a value for each of its options, all of them checked."""

    profile: Profile
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def user_options(self) -> dict[str, Any]:
        """What is kept of it in the server's row."""
        return {PROFILE: self.profile.id, OPTIONS: dict(self.values)}

    @property
    def overrides(self) -> tuple[Overrides, ...]:
        """What it does to the driver, in order: the later wins."""
        chosen = (option.rule.overrides(self.values[option.name]) for option in self.profile.options)
        return tuple(each for each in (self.profile.overrides, *chosen) if each)


def default_of(profiles: Sequence[Profile]) -> Profile | None:
    """Return the profile that counts when nothing is said: the marked one, else the first."""
    return next((profile for profile in profiles if profile.default), profiles[0] if profiles else None)


def select(profiles: Sequence[Profile], wanted: Mapping[str, Any]) -> Selection:
    """Return what `wanted` chooses of the profiles that are open to somebody.

    It is {"profile": id, "options": {name: value}}; the options may stand beside `profile`, too, as programs
    for KubeSpawner write them. What is left out is as the profile says. Raises Invalid with the field's name
    for everything else: no such profile, or not for this user; no such option; a value that it does not take.
    """
    profile = _profile(profiles, wanted.get(PROFILE))
    given = _options(wanted)
    for name in given:
        if profile.option(name) is None:
            raise Invalid(f"{_short(name)}: the profile {profile.id} has no such option", field=_short(name))
    values: dict[str, Any] = {}
    for option in profile.options:
        value = given.get(option.name, option.rule.default)
        try:
            values[option.name] = option.rule.check(value)
        except Unfit as error:
            raise Invalid(f"{option.name}: {error}", field=option.name) from None
    return Selection(profile, values)


def _profile(profiles: Sequence[Profile], wanted: object) -> Profile:
    found = default_of(profiles)
    if found is None:
        raise Invalid("profile: none is open to this user", field=PROFILE)
    if wanted is None:
        return found
    if not isinstance(wanted, str):
        raise Invalid(f"profile: it must be the id of a profile, not {shown(wanted)}", field=PROFILE)
    for profile in profiles:
        if profile.id == wanted:
            return profile
    raise Invalid(
        f"profile: there is none that is called {shown(wanted)} and open to this user", field=PROFILE
    )


def _options(wanted: Mapping[str, Any]) -> dict[str, Any]:
    given = wanted.get(OPTIONS, {})
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise Invalid(f"options: it must be an object, not {shown(given)}", field=OPTIONS)
    found = dict(given)
    for key, value in wanted.items():
        if key in (PROFILE, OPTIONS):
            continue
        name, other = key.removesuffix(_UNLISTED_END), key.endswith(_UNLISTED_END)
        if name in given:
            raise Invalid(f"{_short(name)}: it is given twice", field=_short(name))
        if other or name not in found:
            found[name] = {OTHER: value} if other else value
    return found


def limits_of(profile: Profile) -> tuple[str, ...]:
    """Return what a server of this profile may use, in a few words each, as far as its settings say it."""
    values, found = profile.overrides, []
    memory = values.get("mem_limit") or values.get("mem_guarantee")
    cpus = values.get("cpu_limit") or values.get("cpu_guarantee")
    if memory and (text := _memory(memory)):
        found.append(f"{text} of memory")
    if isinstance(cpus, int | float) and not isinstance(cpus, bool):
        found.append(f"{plain(cpus)} CPU{'' if cpus == 1 else 's'}")
    counted = {**_mapping(values.get("extra_resource_limits")), **_mapping(values.get("devices"))}
    found += [f"{count} {title_of(str(kind))}" for kind, count in counted.items()]
    return tuple(found)


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _memory(value: object) -> str:
    if isinstance(value, str):
        found = _BYTES.fullmatch(value.strip())
        return f"{found[1]} {found[2].upper()}iB" if found else ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    size = float(value)
    for unit in _UNITS[:-1]:
        if size < 1024:
            return f"{size:.3g} {unit}"
        size /= 1024
    return f"{size:.3g} {_UNITS[-1]}"


def _short(name: str) -> str:
    """Return a name for a message, on one line and never empty."""
    return (ascii(name)[1:-1] or "''") if len(name) <= 80 else f"{ascii(name[:80])[1:-1]}…"
