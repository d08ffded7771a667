"""The profiles of a configuration: its own, or those that it has for KubeSpawner or WrapSpawner."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from traitlets import Callable as CallableTrait
from traitlets import HasTraits, List, Union
from traitlets.config import Configurable
from traitlets.config.loader import LazyConfigValue

from carrel.config.chosen import Chosen, lineage
from carrel.config.entries import Entry, Fault
from carrel.config.foreign_profiles import (
    KUBE_NAMES,
    KubeSpawner,
    ProfilesSpawner,
    of_kubespawner,
    of_wrapspawner,
    slug,
)
from carrel.config.names import is_rule
from carrel.config.overrides import Overriding
from carrel.config.profile_options import read_options
from carrel.config.schema import Problem, Settings
from carrel.config.sections import was_set
from carrel.domain.devices import pools_of, why_never
from carrel.domain.profiles import Profile
from carrel.lib.registry import UnknownClass, name_of

_KEYS = (
    "id",
    "title",
    "description",
    "spawner",
    "overrides",
    "options",
    "groups",
    "users",
    "default",
    "price",
    "devices",
)
_LONGEST_ID = 100

#: Returns the class that a profile names, None for the configured one; raises UnknownClass.
Find = Callable[[object], type[HasTraits]]
#: Takes an entry as somebody wrote it and returns it as ours, None for what is none.
Translate = Callable[[object], Mapping[str, Any] | None]


def _as_it_is(entry: object) -> Mapping[str, Any] | None:
    return entry if isinstance(entry, Mapping) else None


class Profiles(Configurable):
    """Kinds of servers that people choose between, for every spawner."""

    profiles: Any = Union(
        [List(), CallableTrait()],
        default_value=[],
        help="The profiles: dictionaries with id, title, description, spawner, overrides, options, groups,"
        " users, default, price and devices (docs/how-to/profiles.md), or a callable that takes the user and"
        " returns them; it may be a coroutine.",
    ).tag(config=True)
    spawners: Any = List(
        help="Further spawners: those that a callable in profiles names, and those that started servers which"
        " may still run. Classes, dotted names or short names."
    ).tag(config=True)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a list of profiles is written."""

    cls: type[HasTraits]
    """The class whose section has the list."""
    name: str
    translate: Translate = _as_it_is
    called: Mapping[str, str] = field(default_factory=dict)
    """What our keys are called there."""
    form: str = "a dictionary"
    strict: bool = True
    """Whether what a driver does not know is an error. Lists for one spawner are read for others, too."""

    @property
    def section(self) -> str:
        """The section's name."""
        return self.cls.__name__

    @property
    def setting(self) -> str:
        """What the list is called."""
        return f"{self.section}.{self.name}"


OWN = Dialect(Profiles, "profiles")
KUBESPAWNER = Dialect(KubeSpawner, "profile_list", of_kubespawner, KUBE_NAMES, strict=False)
WRAPSPAWNER = Dialect(
    ProfilesSpawner, "profiles", of_wrapspawner, {}, "a tuple (display name, key, class, settings)", False
)
DIALECTS = (OWN, KUBESPAWNER, WRAPSPAWNER)


@dataclass(frozen=True, slots=True)
class ProfileSource:
    """Where profiles come from; without a setting there are none, and people choose nothing."""

    setting: str = ""
    """`Profiles.profiles`, or the one of another spawner's that is read in its place."""
    fixed: tuple[Profile, ...] = ()
    ask: Callable[..., Any] | None = None
    """What makes them for a user; it takes the user, or the spawner where `asks_spawner`."""
    asks_spawner: bool = False
    read: Callable[[object], tuple[tuple[Profile, ...], list[Fault]]] = lambda _: ((), [])
    """Reads what `ask` returns; what is wrong with a profile comes with it, and one that cannot be is left
    out."""

    @property
    def in_use(self) -> bool:
        """There are profiles, so that every start needs one."""
        return bool(self.setting)


def read_source(settings: Settings, chosen: Chosen, find: Find) -> tuple[ProfileSource, list[Problem]]:
    """Return the profiles that a configuration has, and all that is wrong with them.

    A list for KubeSpawner or WrapSpawner is read when the spawner in use does not read it itself. Plug-ins
    are imported, nothing of theirs is instantiated.
    """
    given = [(each, _given(settings, chosen, each)) for each in DIALECTS]
    written = [(dialect, value) for dialect, value in given if value]
    if not written:
        return ProfileSource(), []
    dialect, value = written[0]
    problems = [
        _problem(settings, other, f"it has no effect beside c.{dialect.setting}", kind="unused")
        for other, _ in written[1:]
    ]

    def read(entries: object) -> tuple[tuple[Profile, ...], list[Fault]]:
        return read_profiles(entries, dialect, find)

    problems += _forms(settings, chosen, dialect)
    if callable(value):
        return ProfileSource(dialect.setting, (), value, dialect is KUBESPAWNER, read), problems
    profiles, faults = read(value)
    problems += [_problem(settings, dialect, text, fatal=fatal) for text, fatal in faults]
    problems += _never_served(settings, dialect, profiles)
    return ProfileSource(dialect.setting, profiles, read=read), problems


def _never_served(settings: Settings, dialect: Dialect, profiles: Iterable[Profile]) -> Iterator[Problem]:
    """Yield profiles that need devices which the pools do not have; wrong pools are told of elsewhere."""
    try:
        pools = pools_of(settings.device_pools)
    except ValueError:
        return
    for profile in profiles:
        need = profile.overrides.get("devices")
        why = why_never(pools, need) if isinstance(need, Mapping) else ""
        if why:
            text = f"profile {profile.id!r}: devices: {why}: no server of it can start"
            yield _problem(settings, dialect, text, kind="contradiction")


def _forms(settings: Settings, chosen: Chosen, dialect: Dialect) -> Iterator[Problem]:
    """Yield forms of the deployer's that nobody sees, for with profiles nothing else can be chosen."""
    sections = dict.fromkeys(name for cls in (chosen.spawner, *chosen.wrapped) for name in lineage(cls))
    for section in sections:
        for name in ("options_form", "options_from_form"):
            if was_set(settings.plugins.get(section, {}).get(name, LazyConfigValue())):
                setting = f"{section}.{name}"
                place = settings.locations.get(setting, "")
                text = f"it has no effect beside c.{dialect.setting}, which makes the form"
                yield Problem(setting, text, place, fatal=False, kind="unused")


def classes_read(source: ProfileSource) -> list[type[HasTraits]]:
    """Return the classes whose sections are read for profiles."""
    return list(dict.fromkeys([Profiles, *(each.cls for each in DIALECTS if each.setting == source.setting)]))


def spawners_of(settings: Settings) -> list[object]:
    """Return what `c.Profiles.spawners` names."""
    value = _settled(settings.plugins.get("Profiles", {}).get("spawners"))
    return list(value) if isinstance(value, list | tuple) else []


def _given(settings: Settings, chosen: Chosen, dialect: Dialect) -> Any:
    """Return what a section says, None when it says nothing or the spawner in use reads it itself."""
    own = [cls for cls in (chosen.spawner, *chosen.wrapped) if dialect.section in lineage(cls)]
    if any(dialect.name in cls.class_traits() for cls in own):
        return None
    values = settings.plugins.get(dialect.section, {})
    return _settled(values.get(dialect.name)) if was_set(values.get(dialect.name)) else None


def _settled(value: Any) -> Any:
    return value.get_value([]) if isinstance(value, LazyConfigValue) else value


def _problem(
    settings: Settings, dialect: Dialect, text: str, *, fatal: bool = False, kind: str = ""
) -> Problem:
    place = settings.locations.get(dialect.setting, "")
    return Problem(dialect.setting, text, place, fatal, kind)


def read_profiles(entries: object, dialect: Dialect, find: Find) -> tuple[tuple[Profile, ...], list[Fault]]:
    """Return the profiles of a list, and what is wrong with it; a profile that cannot be is left out."""
    if not isinstance(entries, Iterable) or isinstance(entries, str | bytes | Mapping):
        return (), [("it must be a list of profiles", True)]
    faults: list[Fault] = []
    found: dict[str, Profile] = {}
    seen: set[str] = set()
    for number, given in enumerate(entries, 1):
        own = dialect.translate(given)
        if own is None:
            faults.append((f"entry {number} must be {dialect.form}", True))
            continue
        profile_id = _id_of(own) or str(number)
        entry = Entry(own, f"profile {profile_id[:80]!r}", faults, dialect.called)
        before = len(faults)
        profile = _read_profile(entry, profile_id, dialect, find)
        if profile_id in seen:
            entry.fault("id", "there are two profiles of this id")
        elif not any(fatal for _, fatal in faults[before:]):
            found[profile_id] = profile
        seen.add(profile_id)
    profiles = tuple(found.values())
    marked = [profile.id for profile in profiles if profile.default]
    if len(marked) > 1:
        text = f"profile {marked[1]!r}: default: {marked[0]!r} says so, too, and is the first"
        faults.append((text, False))
    return profiles, faults


def _id_of(own: Mapping[str, Any]) -> str:
    given = own.get("id")
    return given if isinstance(given, str) else slug(own.get("title"))


def _read_profile(entry: Entry, profile_id: str, dialect: Dialect, find: Find) -> Profile:
    entry.only(_KEYS, lambda key: dialect.strict or is_rule(key))
    if not entry.text("id") and not entry.text("title"):
        entry.fault("id", "say how it is called")
    if len(profile_id) > _LONGEST_ID or not profile_id.isprintable() or profile_id != profile_id.strip():
        entry.fault("id", f"it must be 1 to {_LONGEST_ID} characters on one line")
    overrides = entry.mapping("overrides")
    devices = entry.mapping("devices")
    if devices:
        overrides = {**overrides, "devices": devices}
    options: tuple[Any, ...] = ()
    spawner = ""
    try:
        cls = find(entry.values.get("spawner"))
    except UnknownClass as error:
        entry.fault("spawner", str(error).partition(": ")[2])
    else:
        takes = Overriding(cls, dialect.strict)
        overrides = takes.check(entry, "overrides", overrides)
        options = read_options(entry, takes)
        spawner = name_of(cls)
    return Profile(
        id=profile_id,
        title=entry.text("title") or profile_id,
        description=entry.text("description"),
        spawner=spawner,
        overrides=overrides,
        options=options,
        groups=entry.names("groups"),
        users=entry.names("users"),
        default=entry.flag("default"),
        price=entry.text("price"),
    )
