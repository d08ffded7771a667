"""Traefik's two configurations: what it is started with, and the routes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

#: Traefik does not decode these (RFC 3986 calls them reserved) before it compares a path with a rule.
_RESERVED = ":/?#[]@!$&'()*+,;=%"
_ALWAYS_ESCAPED = "/?#[]%"
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
#: The entry point that only the hub talks to.
CONTROL = "carrel-control"
PUBLIC = "carrel"


def static(public: str, control: str, dynamic_file: str, extra: Mapping[str, Any]) -> str:
    """Return what Traefik is started with; `public` and `control` are addresses to listen on."""
    allowed = ("Slash", "BackSlash", "Semicolon", "Percent", "QuestionMark", "Hash")
    escapes = {f"allowEncoded{name}": True for name in allowed}
    ours: dict[str, Any] = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "entryPoints": {
            PUBLIC: {
                "address": public,
                "http": {"encodedCharacters": escapes},
                "transport": {"respondingTimeouts": {"readTimeout": "0s"}},
            },
            CONTROL: {"address": control},
        },
        "ping": {"manualRouting": True},
        "providers": {
            "providersThrottleDuration": "0s",
            "file": {"filename": dynamic_file, "watch": True},
        },
        "log": {"level": "WARN", "noColor": True},
    }
    return json.dumps(merged(ours, extra), indent=1)


def dynamic(targets: Mapping[str, str], extra: Mapping[str, Any]) -> tuple[str, str]:
    """Return the file of routes, and the path that the control entry point serves once they are in force."""
    routers: dict[str, Any] = {}
    services: dict[str, Any] = {}
    for spec, target in targets.items():
        name = f"route-{hashlib.blake2b(spec.encode(), digest_size=8).hexdigest()}"
        routers[name] = {
            "entryPoints": [PUBLIC],
            "rule": rule_of(spec),
            "service": name,
            "priority": 10 + len(spec),
        }
        services[name] = {"loadBalancer": {"servers": [{"url": target}], "passHostHeader": True}}
    table = merged({"http": {"routers": routers, "services": services}}, extra)
    mark = f"/{hashlib.blake2b(json.dumps(table).encode(), digest_size=16).hexdigest()}"
    marker = {"entryPoints": [CONTROL], "rule": f"Path(`{mark}`)", "service": "ping@internal"}
    text = json.dumps(merged(table, {"http": {"routers": {"carrel-mark": marker}}}), indent=0)
    # Traefik takes the file for a template before it reads it: a name must not begin an expression.
    return _TEXT.sub(lambda found: found[0].replace("{", "\\u007b"), text), mark


def rule_of(spec: str) -> str:
    """Return the rule for everything below a route specification, in every spelling of its characters."""
    segments = [unquote(segment) for segment in spec.strip("/").split("/") if segment]
    if not segments:
        return "PathPrefix(`/`)"
    path = "/" + "/".join(segments)
    if not any(character in _RESERVED for segment in segments for character in segment):
        return f"Path({_quoted(path)}) || PathPrefix({_quoted(path + '/')})"
    pattern = "".join(f"/{''.join(map(_pattern, segment))}" for segment in segments)
    return f"PathRegexp({_quoted(f'^{pattern}(?:/|$)')})"


def merged(ours: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, tables within tables joined; `extra` wins."""
    result = dict(ours)
    for name, value in extra.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if both and before is not None else value
    return result


def _pattern(character: str) -> str:
    if character not in _RESERVED:
        return re.escape(character)
    escaped = f"(?i:%{ord(character):02X})"
    return escaped if character in _ALWAYS_ESCAPED else f"(?:{re.escape(character)}|{escaped})"


def _quoted(text: str) -> str:
    """Return `text` as a Go string."""
    return json.dumps(text, ensure_ascii=False)
