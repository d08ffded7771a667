"""What imports remember of a user: found in the template, put right in each child.

The template runs with a home directory, names and addresses that exist nowhere else, so whatever was derived
from them while modules were imported holds these marks. It finds text alone: what was computed otherwise from
an environment variable is caught by `variables`.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from types import FrameType, MemberDescriptorType
from typing import Any

from carrel.warmstart import marks
from carrel.warmstart.marks import MARK, MARKS

_LONGEST_REPR = 200


@dataclass(frozen=True, slots=True)
class Place:
    """One value in memory that holds a mark."""

    holder: Any
    key: Any
    value: str | bytes

    def fill(self, values: Mapping[str, str]) -> None:
        """Write what would stand here had the variables these `values` at the import."""
        filled = _replaced(self.value, values)
        if isinstance(self.holder, type):
            setattr(self.holder, self.key, filled)
        else:
            self.holder[self.key] = filled


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the whole environment."""

    holder: Any

    def fill(self, env: Mapping[str, str]) -> None:
        """Make it a copy of this environment."""
        self.holder.clear()
        self.holder.update(env)


@dataclass(frozen=True, slots=True)
class MarkedPath:
    """A path whose text holds a mark: it keeps the parts of it one by one."""

    path: PurePath

    def fill(self, values: Mapping[str, str]) -> None:
        """Make it the path that it would have been."""
        new = type(self.path)(str(_replaced(str(self.path), values)))
        for name in _slots(type(self.path)):
            # What is not set is computed when it is asked for, and kept.
            if _has(self.path, name):
                delattr(self.path, name)
            if _has(new, name):
                object.__setattr__(self.path, name, getattr(new, name))


@dataclass(frozen=True, slots=True)
class Findings:
    """All that was found."""

    places: tuple[Place, ...]
    paths: tuple[MarkedPath, ...]
    copies: tuple[Copy, ...]
    stuck: tuple[str, ...]
    """What cannot be put right, as text; then the template must not be used."""

    def heal(self, env: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Put all of it right: `env` is the new environment, `values` what stands for each mark."""
        for copy in self.copies:
            copy.fill(env)
        for place in self.places:
            place.fill(values)
        for path in self.paths:
            path.fill(values)


def find_marks() -> Findings:
    """Search all of this process's objects."""
    objects = _all_objects()
    owners = _owners(objects)
    own = {id(MARKS), id(vars(marks)), id(globals()), id(os.environ), id(getattr(os.environ, "_data", None))}
    paths = [MarkedPath(one) for one in objects if isinstance(one, PurePath) and MARK in str(one)]
    own |= {id(part) for one in paths for part in (one.path, *gc.get_referents(one.path))}
    places: list[Place] = []
    copies: list[Copy] = []
    stuck: list[str] = []
    for found in objects:
        if id(found) in own or isinstance(found, FrameType) or not _any(gc.get_referents(found)):
            continue
        if type(found) is dict and found.get("HOME") == MARKS["HOME"] and found.get("USER") == MARKS["USER"]:
            copies.append(Copy(found))
            continue
        here = list(_places(found, owners))
        places += here
        if not here or any(_marked(_replaced(place.value, dict.fromkeys(MARKS, ""))) for place in here):
            stuck.append(repr(found)[:_LONGEST_REPR])
    return Findings(tuple(places), tuple(paths), tuple(copies), tuple(stuck))


def _all_objects() -> list[Any]:
    """Return what the collector knows, and the dictionaries and tuples of plain values that it does not."""
    known = gc.get_objects()
    unknown = {
        id(held): held
        for one in known
        for held in gc.get_referents(one)
        if type(held) in (dict, tuple) and not gc.is_tracked(held)
    }
    return [*known, *unknown.values()]


def _owners(objects: Iterable[Any]) -> dict[int, type]:
    """Return the class that each class's dictionary belongs to: it cannot be written to directly."""
    return {id(gc.get_referents(vars(one))[0]): one for one in objects if isinstance(one, type)}


def _places(found: Any, owners: Mapping[int, type]) -> Iterator[Place]:
    if type(found) is dict:
        holder = owners.get(id(found), found)
        yield from (Place(holder, key, value) for key, value in found.items() if _marked(value))
    elif type(found) is list:
        yield from (Place(found, index, value) for index, value in enumerate(found) if _marked(value))
    elif not isinstance(found, type) and isinstance(getattr(found, "__dict__", None), dict):
        # Python keeps the attributes of small objects beside them, not in a dictionary.
        inline = vars(found)
        yield from (Place(inline, key, value) for key, value in inline.items() if _marked(value))


def _replaced(value: str | bytes, values: Mapping[str, str]) -> str | bytes:
    for name, mark in MARKS.items():
        if isinstance(value, str):
            value = value.replace(mark, values[name])
        else:
            value = value.replace(mark.encode(), os.fsencode(values[name]))
    return value


def _slots(cls: type) -> set[str]:
    found = (vars(one).get("__slots__", ()) for one in cls.__mro__)
    return {name for slots in found for name in ((slots,) if isinstance(slots, str) else slots)} - {
        "__weakref__"
    }


def _has(path: PurePath, name: str) -> bool:
    # Not hasattr: of some slots, asking makes the value.
    slot = next((vars(one)[name] for one in type(path).__mro__ if name in vars(one)), None)
    if not isinstance(slot, MemberDescriptorType):
        return False
    try:
        slot.__get__(path)
    except AttributeError:
        return False
    return True


def _any(values: Iterable[Any]) -> bool:
    return any(map(_marked, values))


def _marked(value: Any) -> bool:
    if type(value) is str:
        return MARK in value
    return type(value) is bytes and MARK.encode() in value
