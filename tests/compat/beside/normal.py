"""A reply as a flat table of aspects, without what differs from one run to the next."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from prometheus_client.parser import text_string_to_metric_families

Aspects = dict[str, Any]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_TIME_OF_CHP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_EXCESS = re.compile(r"(?<=requested scopes )\S+(?= not held)")
_HEX = re.compile(r"\b[0-9a-f]{32}\b")
_CODE = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])")
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
_TOKEN_ID = re.compile(r"\b(?:a|sc_)\d+\b")
_ANSWER_S_OWN = {"date", "content-length", "connection", "transfer-encoding", "keep-alive", "set-cookie"}
#: Lists that mean sets: JupyterHub gives them in no order.
_SETS = {"scopes", "roles", "groups", "users"}


def aspects(status: int, headers: list[tuple[str, str]], body: bytes) -> Aspects:
    """Return everything of a reply that the two hubs should agree on, by name."""
    found: Aspects = {"status": status}
    for name, value in headers:
        if name.lower() not in _ANSWER_S_OWN:
            found[f"header.{name.lower()}"] = _header(name.lower(), value)
    found |= _cookies([value for name, value in headers if name.lower() == "set-cookie"])
    return found | _body(dict(_lowered(headers)).get("content-type", ""), body)


def text(value: str) -> str:
    """Return a text with its moments, secrets, ids and ports replaced by what they are."""
    value = _EXCESS.sub(lambda found: ",".join(sorted(found[0].split(","))), value)
    for pattern, word in (
        (_TIME, "<time>"),
        (_TIME_OF_CHP, "<milliseconds>"),
        (_HEX, "<secret>"),
        (_CODE, "<code>"),
        (_PORT, "<port>"),
        (_TOKEN_ID, "<id>"),
    ):
        value = pattern.sub(word, value)
    return value


def _lowered(headers: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((name.lower(), value) for name, value in headers)


def _header(name: str, value: str) -> str:
    if name == "content-type":
        return value.lower().replace("; ", ";")
    if name == "location":
        parts = urlsplit(value)
        query = "&".join(
            f"{key}={'<code>' if key == 'code' else value}"
            for key, value in parse_qsl(parts.query, keep_blank_values=True)
        )
        return text(parts.path + (f"?{query}" if query else ""))
    return text(value)


def _cookies(lines: list[str]) -> Aspects:
    found: Aspects = {}
    for line in lines:
        try:
            parsed = SimpleCookie(line)
        except CookieError:
            found["cookie"] = line
            continue
        for name, morsel in parsed.items():
            names = [key for key in ("path", "httponly", "secure", "samesite", "domain") if morsel[key]]
            found[f"cookie.{name}"] = "set" if morsel.value else "cleared"
            found |= {f"cookie.{name}.{key}": str(morsel[key]).lower() for key in names}
            found[f"cookie.{name}.lasts"] = bool(morsel["expires"] or morsel["max-age"])
    return found


def _body(content_type: str, body: bytes) -> Aspects:
    if not body:
        return {"body": "empty"}
    if "json" in content_type:
        try:
            return dict(_leaves("json", json.loads(body)))
        except ValueError:
            return {"body": "not JSON"}
    if content_type.startswith("text/event-stream"):
        lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
        return dict(_leaves("event", json.loads(lines[-1]))) if lines else {"body": "no events"}
    if content_type.startswith("text/html"):
        return {"body": "a page"}
    if content_type.startswith("text/plain; version="):
        return _metrics(body.decode())
    return {"body": text(body.decode("utf-8", "replace"))[:200]}


def _metrics(body: str) -> Aspects:
    """Return each metric of the hub's with its type and labels; moments of creation are the library's."""
    found: Aspects = {}
    for family in text_string_to_metric_families(body):
        if not family.name.endswith("_created"):
            labels = {label for sample in family.samples for label in sample.labels}
            found[f"metric.{family.name}"] = f"{family.type} {sorted(labels - {'le'})}"
    return found


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield each value that is no container, and empty containers, by its path."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list) and value and not _is_set(path):
        for number, inner in enumerate(value):
            yield from _leaves(f"{path}.{number}", inner)
    elif path == "json.access_token":
        yield path, "<secret>"
    elif path == "json.scope":
        yield path, sorted(value.split())
    elif isinstance(value, list):
        yield path, sorted(text(str(inner)) for inner in value)
    else:
        yield path, text(value) if isinstance(value, str) else value


def _is_set(path: str) -> bool:
    return path.rpartition(".")[2] in _SETS
