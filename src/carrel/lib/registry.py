"""Finding the class that a setting names: a class, a dotted name, a built-in's or an entry point's name."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Generic, TypeVar

T = TypeVar("T")


class UnknownClass(Exception):
    """A setting names a class that cannot be used; the message is one line for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One family of plug-ins."""

    setting: str
    """The setting that names the class, for messages: `JupyterHub.spawner_class`."""
    base: type[T]
    """What the class must derive from."""
    builtins: Mapping[str, str] = field(default_factory=dict)
    """Short name, in lower case, to dotted name."""
    groups: tuple[str, ...] = ()
    """Entry point groups; an earlier one wins, and built-ins win over all."""
    replaced: tuple[str, ...] = ()
    """Distributions whose entry points do not count: the built-ins stand for them."""
    packages: Mapping[str, str] = field(default_factory=dict)
    """Short name or top-level module to the package that has it, for who has yet to install it."""
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """Built-ins as in `builtins`, each of which makes room for an installed plug-in of the same name."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Dotted name of a plug-in's class to the built-in that has the same settings."""


def find_class(wanted: object, kind: Kind[T]) -> type[T]:
    """Return the class that `wanted` names; raise UnknownClass saying what was looked for otherwise."""
    found = _look_up(wanted, kind) if isinstance(wanted, str) else wanted
    if not isinstance(found, type):
        raise UnknownClass(f"{kind.setting}: {wanted!r} is not a class; {_advice(kind)}")
    if not issubclass(found, kind.base):
        where = f"{found.__module__}.{found.__qualname__}"
        raise UnknownClass(f"{kind.setting}: {where} is not a subclass of {kind.base.__name__}")
    return found


def name_of(cls: type) -> str:
    """Return the full name of a class, by which it is found again: `carrel.spawners.local.X`."""
    return f"{cls.__module__}.{cls.__qualname__}"


def find_known(full_name: str, kind: Kind[T]) -> type[T] | None:
    """Return a built-in or installed class by its full name, None when no such one is to be had.

    Nothing else is imported: the name may come from anywhere.
    """
    if full_name in (*kind.builtins.values(), *kind.stand_ins.values()):
        return find_class(full_name, kind)
    top = full_name.partition(".")[0]
    for entry in _installed(kind).values():
        if entry.module.partition(".")[0] == top:
            with contextlib.suppress(UnknownClass):
                found = find_class(_load(entry, kind), kind)
                if name_of(found) == full_name:
                    return found
    return None


def known_names(kind: Kind[T]) -> list[str]:
    """Return the short names that can be used, built-in and installed, sorted."""
    return sorted({*kind.builtins, *kind.stand_ins, *_installed(kind)})


def _look_up(name: str, kind: Kind[T]) -> object:
    short = name.strip().lower()
    if short in kind.builtins:
        return _import(kind.builtins[short], kind)
    top, dot, _ = name.strip().partition(".")
    if dot and top and (top in sys.modules or find_spec(top) is not None):
        # To look through all that is installed takes a tenth of a hub's start.
        return _import(name.strip(), kind)
    installed = _installed(kind)
    if short in installed:
        return _load(installed[short], kind)
    if short in kind.stand_ins:
        return _import(kind.stand_ins[short], kind)
    if "." in name:
        return _import(name.strip(), kind)
    raise UnknownClass(f"{kind.setting}: nothing is called {name!r}; {_suggestion(short, kind, installed)}")


def _suggestion(short: str, kind: Kind[T], installed: Mapping[str, EntryPoint]) -> str:
    known = list(dict.fromkeys((*kind.builtins, *kind.stand_ins, *installed)))
    if short in kind.packages:
        return f"it comes with another package: pip install {kind.packages[short]}"
    near = difflib.get_close_matches(short, [*known, *kind.packages], n=1, cutoff=0.75)
    if near and near[0] not in known:
        return (
            f"did you mean {near[0]!r}? It comes with another package: pip install {kind.packages[near[0]]}"
        )
    near = difflib.get_close_matches(short, known, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(repr(each) for each in near)}?" if near else _advice(kind)


def _installed(kind: Kind[T]) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for group in kind.groups:
        for entry in entry_points(group=group):
            if entry.dist is None or entry.dist.name.lower() not in kind.replaced:
                found.setdefault(entry.name.lower(), entry)
    return found


def _load(entry: EntryPoint, kind: Kind[T]) -> object:
    try:
        return entry.load()
    except Exception as error:
        text = f"{entry.name!r} is {entry.value}, which cannot be imported: {_line(error)}"
        raise UnknownClass(f"{kind.setting}: {text}{_remedy(error, kind)}") from error


def _import(dotted: str, kind: Kind[T]) -> object:
    module_name, _, name = dotted.rpartition(".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a plug-in's module may raise anything
        text = f"{dotted!r} cannot be imported: {_line(error)}{_remedy(error, kind)}{_answer(dotted, kind)}"
        raise UnknownClass(f"{kind.setting}: {text}") from error
    try:
        return getattr(module, name)
    except AttributeError:
        classes = [key for key, value in vars(module).items() if isinstance(value, type)]
        near = difflib.get_close_matches(name, classes, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UnknownClass(f"{kind.setting}: the module {module_name} has no {name}{hint}") from None


def _remedy(error: BaseException, kind: Kind[T]) -> str:
    """Return which package has the module that was not found, empty when that is not known."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f"; pip install {kind.packages[missing]}" if missing in kind.packages else ""


def _answer(dotted: str, kind: Kind[T]) -> str:
    """Return which built-in could take the place of a class that is not there, empty for none."""
    own = kind.answers.get(dotted)
    return f", or use the built-in {own!r}, which has the same settings" if own else ""


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__


def _advice(kind: Kind[T]) -> str:
    names = ", ".join(known_names(kind))
    return "give a class, a dotted name" + (f" or one of: {names}" if names else "")
