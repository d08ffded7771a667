"""The options of a profile, as the configuration writes them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from carrel.config.entries import Entry
from carrel.config.names import nearest
from carrel.config.overrides import Overriding
from carrel.domain.errors import Invalid
from carrel.domain.profile_options import (
    LONGEST,
    PLAIN,
    UNLISTED,
    Choice,
    ChoiceRule,
    NumberRule,
    Option,
    RepositoryRule,
    Rule,
    SwitchRule,
    TextRule,
    Unfit,
    Unlisted,
    fill_all,
    plain,
)
from carrel.domain.repositories import RepositoryRules, read_prefix

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")
#: Settings of Kubernetes that may be YAML: what stands in such a text could say more than one value.
_YAML = ("extra_pod_config", "extra_container_config")
_COMMON = ("name", "type", "title", "description")
_NOTHING = re.compile(r"(?!)")


def read_options(entry: Entry, takes: Overriding) -> tuple[Option, ...]:
    """Return the options below `options`: a dictionary by name, or a list of dictionaries with `name`.

    What is wrong is noted at the entry, and an option that cannot be is left out.
    """
    found: dict[str, Option] = {}
    for name, value in _items(entry, "options", "name"):
        part = entry.part(f"options.{name}", value)
        if part is None:
            continue
        if not _NAME.fullmatch(name) or name.endswith(UNLISTED):
            part.fault("", "its name must be letters, digits, _ . and -, a letter first")
        elif name in found:
            part.fault("", "there are two of this name")
        elif (option := _read_option(part, name, takes)) is not None:
            found[name] = option
    return tuple(found.values())


def _items(entry: Entry, key: str, id_key: str) -> list[tuple[str, Any]]:
    """Return dictionaries with their ids: of a dictionary by id, or of a list of them."""
    given = entry.values.get(key) or {}
    if isinstance(given, Mapping):
        return [(str(name), value) for name, value in given.items()]
    if isinstance(given, list | tuple):
        return [
            (str(each.get(id_key, number)) if isinstance(each, Mapping) else str(each), each)
            for number, each in enumerate(given, 1)
        ]
    entry.fault(key, "it must be a dictionary, or a list")
    return []


def _read_option(entry: Entry, name: str, takes: Overriding) -> Option | None:
    kind = entry.text("type", "choice")
    if kind not in _READERS:
        near = nearest(kind, _READERS)
        advice = f"did you mean {near}?" if near else f"there are {', '.join(_READERS)}"
        entry.fault("type", f"there is no type {kind[:40]!r}: {advice}")
        return None
    read, keys = _READERS[kind]
    entry.only((*_COMMON, *keys))
    before = len(entry.faults)
    rule = read(entry, takes)
    if rule is None or any(fatal for _, fatal in entry.faults[before:]):
        return None
    if rule.default != "":
        try:
            rule.check(rule.default)
        except Unfit as error:
            entry.fault("default", str(error))
    return Option(name, rule, entry.text("title"), entry.text("description"))


def _choice(entry: Entry, takes: Overriding) -> Rule | None:
    sets = _sets(entry, {})
    choices: list[Choice] = []
    marked = ""
    for choice_id, value in _items(entry, "choices", "id"):
        given = {"title": value} if isinstance(value, str) else value
        part = entry.part(f"choices.{choice_id}", given)
        if part is None:
            continue
        part.only(("id", "title", "description", "overrides", "default"))
        overrides = takes.check(part, "overrides", {**fill_all(sets, choice_id), **part.mapping("overrides")})
        choices.append(Choice(choice_id, part.text("title"), part.text("description"), overrides))
        if part.flag("default"):
            marked = marked or choice_id
    return _chosen(entry, takes, choices, ("choice", "choices"), marked, sets)


def _image(entry: Entry, takes: Overriding) -> Rule | None:
    sets = _sets(entry, {"image": "{value}"})
    given = entry.values.get("images") or ()
    if isinstance(given, Mapping):
        named = [(str(image), str(title)) for title, image in given.items()]
    elif isinstance(given, list | tuple):
        named = [(str(image), "") for image in given]
    else:
        entry.fault("images", "it must be a list of images, or a dictionary of titles and images")
        return None
    sets = takes.names(entry, "sets", sets)
    choices = [Choice(image, title, "", fill_all(sets, image)) for image, title in named]
    return _chosen(entry, takes, choices, ("image", "images"), "", sets)


def _chosen(
    entry: Entry,
    takes: Overriding,
    choices: Sequence[Choice],
    kind: tuple[str, str],
    marked: str,
    sets: Mapping[str, Any],
) -> Rule | None:
    """Return the rule of a list of choices; note when it has none, and ids that stand twice."""
    ids = [choice.id for choice in choices]
    if not ids:
        entry.fault(kind[1], "name one at least")
        return None
    for bad in sorted({each for each in ids if ids.count(each) > 1 or each in ("", UNLISTED)}):
        entry.fault(kind[1], f"{bad!r} stands there twice, or is no id that a choice can have")
    return ChoiceRule(
        choices=tuple(choices),
        default=entry.text("default") or marked or ids[0],
        unlisted=_unlisted(entry, takes, sets),
        kind=kind[0],
    )


def _unlisted(entry: Entry, takes: Overriding, sets: Mapping[str, Any]) -> Unlisted | None:
    value = entry.values.get("unlisted")
    part = entry.part("unlisted", value) if value is not None else None
    if part is None or not part.flag("enabled", default=True):
        return None
    part.only(("enabled", "title", "description", "pattern", "message", "sets"))
    pattern = part.pattern("pattern")
    if pattern is None:
        part.fault("pattern", "say as a regular expression what may be given; it must fit the whole of it")
    own = takes.names(part, "sets", _sets(part, sets))
    return Unlisted(
        pattern or _NOTHING, own, part.text("title", "Other"), part.text("description"), part.text("message")
    )


def _number(entry: Entry, takes: Overriding) -> Rule | None:
    least, most, step = entry.number("min"), entry.number("max"), entry.number("step")
    for key in ("min", "max"):
        if entry.values.get(key) is None:
            entry.fault(key, "say a number")
    if least is None or most is None:
        return None
    if least > most:
        entry.fault("max", f"it must not be less than min, which is {least}")
    if step is not None and step <= 0:
        entry.fault("step", "it must be more than 0")
        return None
    sets = takes.names(entry, "sets", _sets(entry, {}))
    as_text = not takes.takes(fill_all(sets, least)) and takes.takes(fill_all(sets, plain(least)))
    if not as_text and takes.check(entry, "sets", fill_all(sets, least)) == fill_all(sets, least):
        takes.check(entry, "sets", fill_all(sets, most))
    default = entry.number("default", least)
    return NumberRule(
        least=least,
        most=most,
        default=least if default is None else default,
        step=step,
        unit=entry.text("unit"),
        sets=sets,
        as_text=as_text,
    )


def _text(entry: Entry, takes: Overriding) -> Rule | None:
    most = entry.number("max_length", 200)
    if not isinstance(most, int) or not 1 <= most <= LONGEST:
        entry.fault("max_length", f"it must be a whole number from 1 to {LONGEST}")
        most = LONGEST
    sets = takes.names(entry, "sets", _sets(entry, {}))
    return TextRule(
        pattern=entry.pattern("pattern") or PLAIN,
        most=most,
        default=entry.text("default"),
        placeholder=entry.text("placeholder"),
        message=entry.text("message"),
        sets=sets,
    )


def _switch(entry: Entry, takes: Overriding) -> Rule | None:
    return SwitchRule(
        default=entry.flag("default"),
        on=takes.check(entry, "on", entry.mapping("on")),
        off=takes.check(entry, "off", entry.mapping("off")),
    )


def _repository(entry: Entry, takes: Overriding) -> Rule | None:
    hosts = entry.values.get("hosts") or ()
    rules = RepositoryRules(everything=True)
    if not isinstance(hosts, list | tuple) or not all(isinstance(host, str) for host in hosts):
        entry.fault(
            "hosts", "it must be a list of hosts or beginnings of addresses: ['github.com/our-school']"
        )
        return None
    if hosts:
        try:
            rules = RepositoryRules(tuple(map(read_prefix, hosts)))
        except Invalid as error:
            entry.fault("hosts", str(error))
            return None
    sets = takes.names(entry, "sets", _sets(entry, {"repository": "{value}"}))
    return RepositoryRule(rules=rules, default=entry.text("default"), sets=sets)


def _sets(entry: Entry, default: Mapping[str, Any]) -> dict[str, Any]:
    """Return where a value goes: the name of a setting, or a dictionary in which {value} stands."""
    value = entry.values.get("sets")
    if isinstance(value, str):
        sets: dict[str, Any] = {value: "{value}"}
    else:
        sets = dict(default) if value is None else entry.mapping("sets")
    for name in _YAML:
        if isinstance(text := sets.get(name), str) and "{value}" in text:
            entry.fault(f"sets.{name}", "write it as a dictionary: within YAML, {value} could say anything")
    return sets


_READERS: Mapping[str, tuple[Callable[[Entry, Overriding], Rule | None], tuple[str, ...]]] = {
    "choice": (_choice, ("choices", "unlisted", "sets", "default")),
    "image": (_image, ("images", "unlisted", "sets", "default")),
    "number": (_number, ("min", "max", "step", "unit", "sets", "default")),
    "text": (_text, ("pattern", "max_length", "placeholder", "message", "sets", "default")),
    "switch": (_switch, ("on", "off", "default")),
    "repository": (_repository, ("hosts", "sets", "default")),
}
