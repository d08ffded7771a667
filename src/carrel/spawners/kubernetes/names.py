"""Names of a cluster's objects made of any user's and server's names, each pair its own.

The scheme is that of KubeSpawner 7, so that claims that it has made are found again: a name that Kubernetes
takes stays as it is, any other keeps what can be kept of it and gets a part of its SHA-256. Names of old,
which `escape` gives, are those of KubeSpawner up to 6.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OBJECT = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_LONGEST = 63
_DIGEST = 8
_PART = 48
"""Names that become parts of others are this long at most."""
_WITH_DIGEST = 32


def object_slug(name: str) -> str:
    """Return a DNS label (RFC 1035) of at most 48 characters for any name, another for each."""
    return name if len(name) <= _PART and _stays(name, _OBJECT) else _digested([name], _PART)


def label_slug(value: str) -> str:
    """Return a label's value for any text, another for each."""
    return value if _stays(value, _LABEL) else _digested([value], _WITH_DIGEST)


def pair_slug(user: str, server: str) -> str:
    """Return one DNS label of at most 48 characters for a user and a server; empty is the default server."""
    first = object_slug(user)
    if server:
        both = f"{first}--{object_slug(server)}"
        return both if len(both) <= _PART else _digested([user, server], _PART)
    return first if len(first) + 2 <= _PART else _digested([user, server], _PART)


def escape_slug(name: str) -> str:
    """Return the slug of old: each byte but small letters and digits as `-xx`, in hexadecimal."""
    kept = re.compile(r"[a-z0-9]")
    return "".join(c if kept.fullmatch(c) else "".join(f"-{byte:x}" for byte in c.encode()) for c in name)


def namespace_of(user: str, server: str, user_id: int, hub_namespace: str, scheme: str) -> dict[str, Any]:
    """Return what templates of names may use in braces, by the `safe` or the `escape` scheme."""
    old_pair = f"{escape_slug(user)}--{escape_slug(server)}"
    safe = {
        "username": object_slug(user),
        "servername": object_slug(server) if server else "",
        "user_server": pair_slug(user, server),
    }
    escaped = {
        "username": escape_slug(user),
        "servername": escape_slug(server),
        "user_server": old_pair if server else escape_slug(user),
    }
    return {
        **(safe if scheme == "safe" else escaped),
        **{f"safe_{name}": value for name, value in safe.items()},
        **{f"escaped_{name}": value for name, value in escaped.items()},
        "escaped_user_server": old_pair,
        "userid": user_id,
        "unescaped_username": user,
        "unescaped_servername": server,
        "hubnamespace": "user" if hub_namespace == "default" else hub_namespace,
    }


class LateNames(dict[str, Any]):
    """Names for templates, some of which are made of others: those are looked up when they are used."""

    def __init__(self, names: Mapping[str, Any], late: Mapping[str, Callable[[], Any]]) -> None:
        super().__init__(names)
        self.late = late

    def __missing__(self, key: str) -> Any:
        return self.late[key]()


def fill(template: str, names: Mapping[str, Any]) -> str:
    """Return a template with the names in it; raises ValueError for one that there is not.

    What an empty server name leaves of a template's hyphens at its end is taken off.
    """
    if any(set(word) & set(".[") for word in re.findall(r"\{([^{}]*)\}", template)):
        raise ValueError(f"{template!r} may use names in braces, and nothing of theirs")
    try:
        filled = template.format_map(names)
    except (KeyError, IndexError, ValueError) as error:
        known = ", ".join(f"{{{name}}}" for name in (*names, *getattr(names, "late", ())))
        raise ValueError(f"{template!r} cannot be expanded ({error}); it may use {known}") from None
    return filled if template.endswith("-") else filled.rstrip("-")


def fill_all(value: Any, names: Mapping[str, Any]) -> Any:
    """Return lists, dictionaries and texts with every text filled; anything else stays as it is."""
    if isinstance(value, str):
        return fill(value, names)
    if isinstance(value, Mapping):
        return {key: fill_all(each, names) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [fill_all(each, names) for each in value]
    return value


def _stays(name: str, pattern: re.Pattern[str]) -> bool:
    # Two hyphens are what a digest begins with, and what joins two names.
    return len(name) <= _LONGEST and "--" not in name and pattern.fullmatch(name) is not None


def _digested(names: Sequence[str], longest: int) -> str:
    digest = hashlib.sha256(b"\xff".join(name.encode() for name in names)).hexdigest()[:_DIGEST]
    if len(names) == 1:
        return f"{_readable(names[0], min(longest, _PART) - _DIGEST - 3)}---{digest}"
    room = (longest - _DIGEST - 1) // len(names) - 2
    return f"{'--'.join(_readable(name, room) for name in names)}---{digest}"


def _readable(name: str, longest: int) -> str:
    """Return what of a name can stand in a DNS label, with no two hyphens beside each other."""
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-")[:longest].rstrip("-")
    if kept and not kept[0].isalpha():
        kept = f"x-{kept[: longest - 2]}"
    return kept or "x"
