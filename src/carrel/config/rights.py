"""Groups, roles and scopes as the configuration writes them, and all that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.config.names import nearest
from carrel.config.schema import Settings
from carrel.domain.custom_scopes import faults, read_custom_scopes
from carrel.domain.errors import Invalid
from carrel.domain.groups import check_group_name
from carrel.domain.roles import ADMIN, DEFAULT_ROLES, SERVER, USER, check_role_name
from carrel.domain.scope_catalog import BUILT_IN, SELF, Catalog
from carrel.domain.scopes import parse

#: A setting's name, what is wrong with it, and whether the hub must not start.
Finding = tuple[str, str, bool]

_GROUP_KEYS = ("users", "properties")
_ROLE_KEYS = ("name", "description", "scopes", "users", "groups", "services", "managed_by_auth")


@dataclass(frozen=True, slots=True)
class GroupSetting:
    """One group of `load_groups`."""

    name: str
    users: tuple[str, ...] = ()
    """As written: the authenticator has yet to normalise them."""
    properties: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """One role as `load_roles` or an authenticator writes it; None for what is left out."""

    name: str
    description: str | None = None
    scopes: tuple[str, ...] | None = None
    users: tuple[str, ...] | None = None
    groups: tuple[str, ...] | None = None
    services: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RightsSettings:
    """What the configuration says about who may do what."""

    catalog: Catalog = BUILT_IN
    groups: tuple[GroupSetting, ...] = ()
    roles: tuple[RoleSetting, ...] = ()
    extra_user_scopes: tuple[str, ...] = ()


def read_rights(settings: Settings) -> tuple[RightsSettings, list[Finding]]:
    """Return groups, roles and scopes as far as they are right, and what is wrong."""
    findings: list[Finding] = []
    for name, text in faults(settings.custom_scopes):
        findings.append(("custom_scopes", f"{name!r}: {text}", True))
    catalog = BUILT_IN.with_custom(read_custom_scopes(settings.custom_scopes))
    for text in _bad_scopes(settings.extra_user_scopes, catalog):
        findings.append(("extra_user_scopes", text, True))
    groups, wrong = _read_all("load_groups", settings.load_groups.items(), _read_group)
    findings += wrong
    roles, wrong = read_roles("load_roles", settings.load_roles, catalog)
    findings += wrong
    findings += _overridden(roles, bool(settings.extra_user_scopes))
    extra = tuple(sorted(settings.extra_user_scopes))
    return RightsSettings(catalog, tuple(groups), tuple(roles), extra), findings


def read_roles(
    setting: str, entries: Sequence[object], catalog: Catalog
) -> tuple[list[RoleSetting], list[Finding]]:
    """Return roles as far as they are right, and what is wrong; `setting` is where they stand."""
    roles, findings = _read_all(
        setting, enumerate(entries, 1), lambda item: _read_role(item[0], item[1], catalog)
    )
    seen: set[str] = set()
    for role in roles:
        if role.name in seen:
            findings.append((setting, f"role {role.name!r} is defined twice", True))
        seen.add(role.name)
    return roles, findings


def _read_all(
    setting: str, items: Any, read: Callable[[Any], tuple[Any, list[tuple[str, bool]]]]
) -> tuple[list[Any], list[Finding]]:
    good, findings = [], []
    for item in items:
        found, wrong = read(item)
        findings += [(setting, text, fatal) for text, fatal in wrong]
        if not any(fatal for _, fatal in wrong):
            good.append(found)
    return good, findings


def _read_group(item: tuple[str, object]) -> tuple[GroupSetting, list[tuple[str, bool]]]:
    name, entry = item
    label = f"group {name[:80]!r}"
    contents = {"users": entry} if isinstance(entry, list | tuple | set) else entry
    if not isinstance(contents, Mapping):
        return GroupSetting(name), [(f"{label} must be a dictionary with users and properties", True)]
    wrong = list(_unknown_keys(label, contents, _GROUP_KEYS))
    try:
        check_group_name(name)
    except Invalid as error:
        wrong.append((f"{label}: {error}", True))
    users = _names(contents.get("users", ()))
    if users is None:
        wrong.append((f"{label}: users must be a list of names", True))
    properties = contents.get("properties")
    if not isinstance(properties, Mapping | None):
        wrong.append((f"{label}: properties must be a dictionary", True))
    return GroupSetting(name, users or (), properties), wrong


def _read_role(number: int, entry: object, catalog: Catalog) -> tuple[RoleSetting, list[tuple[str, bool]]]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        return RoleSetting(""), [(f"entry {number} must be a dictionary with a text as its name", True)]
    label = f"role {entry['name'][:80]!r}"
    wrong = list(_unknown_keys(label, entry, _ROLE_KEYS))
    try:
        check_role_name(entry["name"])
    except Invalid as error:
        wrong.append((f"{label}: {error}", True))
    if not isinstance(entry.get("description"), str | None):
        wrong.append((f"{label}: its description must be a text", True))
    lists: dict[str, tuple[str, ...] | None] = {}
    for key in ("scopes", "users", "groups", "services"):
        lists[key] = None if entry.get(key) is None else _names(entry[key])
        if lists[key] is None and entry.get(key) is not None:
            wrong.append((f"{label}: {key} must be a list of texts", True))
    wrong += [(f"{label}: {text}", True) for text in _bad_scopes(lists["scopes"] or (), catalog)]
    wrong += [(f"{label}: {text}", fatal) for text, fatal in _limits(entry["name"], entry.get("scopes"))]
    return RoleSetting(entry["name"], entry.get("description"), **lists), wrong


def _limits(name: str, scopes: Any) -> Iterator[tuple[str, bool]]:
    if name == ADMIN.name and scopes is not None and set(_names(scopes) or ()) != set(ADMIN.scopes):
        yield "its scopes cannot be changed; leave them out", True
    if not scopes and name not in DEFAULT_ROLES:
        yield "it has no scopes and gives nothing", False
    if name == SERVER.name and scopes is not None:
        yield "servers' own tokens keep their usual scopes in this version", False


def _overridden(roles: Sequence[RoleSetting], extra: bool) -> Iterator[Finding]:
    for role in roles:
        if role.name == USER.name and role.scopes is not None:
            if extra:
                yield (
                    "extra_user_scopes",
                    "without effect, since load_roles gives the role 'user' scopes",
                    False,
                )
            if SELF not in role.scopes:
                text = "role 'user' lacks the scope 'self': users can do little with what is theirs"
                yield "load_roles", text, False


def _unknown_keys(label: str, entry: Mapping[Any, Any], keys: Sequence[str]) -> Iterator[tuple[str, bool]]:
    for key in entry:
        if key not in keys:
            near = nearest(str(key)[:80], keys)
            advice = f"did you mean {near}?" if near else f"it may have {', '.join(keys[:6])}"
            yield f"{label} has no {str(key)[:80]!r}: {advice}", near is not None


def _bad_scopes(scopes: Sequence[str] | set[str], catalog: Catalog) -> Iterator[str]:
    for scope in sorted(scopes):
        try:
            parse(scope, catalog)
        except Invalid as error:
            yield str(error)


def _names(value: object) -> tuple[str, ...] | None:
    """Return a list of texts, without what is there twice; None for anything else."""
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    texts = [each for each in value if isinstance(each, str)]
    return tuple(dict.fromkeys(texts)) if len(texts) == len(value) else None
