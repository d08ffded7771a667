"""Applications that sign their users in with accounts of this hub, as the configuration writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit

from carrel.config.names import nearest
from carrel.config.rights import Finding, read_rights
from carrel.config.schema import Settings
from carrel.domain.errors import Invalid
from carrel.domain.oauth import OFFLINE, USUAL_CLAIMS, OAuthClient, write_scopes
from carrel.domain.scope_catalog import Catalog
from carrel.domain.scopes import parse
from carrel.lib.ids import digest

_KEYS = (
    "client_id",
    "client_secret",
    "public",
    "redirect_uris",
    "name",
    "allowed_scopes",
    "access_scopes",
    "confirm",
)
_CLIENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")
#: Ids of the hub's own, of servers and of services.
_TAKEN = re.compile(r"jupyterhub($|-)|service-")
_SHORTEST_SECRET = 32
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_OFFLINE_WORD = write_scopes([OFFLINE])


def read_clients(settings: Settings) -> tuple[list[OAuthClient], list[Finding]]:
    """Return the clients of `oauth_clients` as far as they are right, and what is wrong."""
    catalog = read_rights(settings)[0].catalog
    good: dict[str, OAuthClient] = {}
    findings: list[Finding] = []
    for number, entry in enumerate(settings.oauth_clients, 1):
        if not isinstance(entry, Mapping):
            findings.append(("oauth_clients", f"entry {number} must be a dictionary with client_id", True))
            continue
        label = f"client {str(entry.get('client_id') or number)[:80]!r}"
        wrong = [f"{label}: {text}" for text in _faults(entry, catalog)]
        if not wrong and entry["client_id"] in good:
            wrong = [f"{label} is defined twice"]
        findings += [("oauth_clients", text, True) for text in wrong]
        if not wrong:
            good[entry["client_id"]] = _client(entry)
    return list(good.values()), findings


def check_public_url(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with `public_url`."""
    url = settings.public_url
    if not url:
        return
    fault = _url_fault(url)
    parts = _split(url)
    if fault or parts is None:
        yield "public_url", f"it must be an address such as https://hub.example.org{settings.base_url}", True
    elif parts.query or f"{parts.path.rstrip('/')}/" != settings.base_url:
        yield (
            "public_url",
            f"its path must be the base URL, {settings.base_url}, and nothing may follow",
            True,
        )


def redirect_fault(uri: str) -> str:
    """Return what is wrong with a redirect URI of an application; empty when nothing is.

    It is compared as it is, letter by letter, so it must leave no room for two readings.
    """
    fault = _url_fault(uri)
    parts = _split(uri)
    if fault or parts is None:
        return fault or "it cannot be read"
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        return "it must begin with https:// (http:// is for this machine alone)"
    if any(segment in {".", ".."} for segment in parts.path.split("/")):
        return "its path must have no dots for segments"
    return ""


def _url_fault(url: str) -> str:
    parts = _split(url)
    if not url.isascii() or not url.isprintable() or re.search(r"[\s\\\"'<>;,*#]", url) or parts is None:
        return "it must be an address in plain ASCII, without spaces, quotes, wildcards and fragments"
    if parts.scheme not in {"https", "http"}:
        return "it must begin with https://"
    if "@" in parts.netloc:
        return "it must have no user and no password"
    host = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    return "" if _HOST.fullmatch(host) else "it must name a host"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _faults(entry: Mapping[Any, Any], catalog: Catalog) -> Iterator[str]:
    for key in entry:
        if key not in _KEYS:
            near = nearest(str(key)[:80], _KEYS)
            advice = f"did you mean {near}?" if near else f"it may have {', '.join(_KEYS)}"
            yield f"there is no key {str(key)[:80]!r}: {advice}"
    name = entry.get("client_id")
    if not isinstance(name, str) or not _CLIENT_ID.fullmatch(name):
        yield "client_id must be 1 to 100 letters, digits and . _ ~ -"
    elif _TAKEN.match(name):
        yield "client_id must not begin as those of the hub's own, of servers and services do"
    yield from _secret_faults(entry)
    if not isinstance(entry.get("name", ""), str):
        yield "name must be a text"
    if not isinstance(entry.get("confirm", True), bool):
        yield "confirm must be True or False"
    yield from _redirect_faults(entry.get("redirect_uris"))
    for key in ("allowed_scopes", "access_scopes"):
        yield from _scope_faults(key, entry.get(key, []), catalog)


def _secret_faults(entry: Mapping[Any, Any]) -> Iterator[str]:
    secret, public = entry.get("client_secret"), entry.get("public", False)
    if not isinstance(public, bool):
        yield "public must be True or False"
    elif public:
        if secret is not None:
            yield "a public client has no client_secret: remove one of the two"
        if entry.get("confirm", True) is not True:
            yield "a public client cannot go without confirmation: anybody could pretend to be it"
    elif not isinstance(secret, str) or len(secret) < _SHORTEST_SECRET:
        yield f"client_secret must have {_SHORTEST_SECRET} characters or more: try `openssl rand -hex 32`"


def _redirect_faults(uris: object) -> Iterator[str]:
    if not isinstance(uris, list | tuple) or not uris or not all(isinstance(uri, str) for uri in uris):
        yield "redirect_uris must be a list of addresses"
        return
    for uri in uris:
        if fault := redirect_fault(uri):
            yield f"redirect URI {uri[:200]!r}: {fault}"


def _scope_faults(key: str, scopes: object, catalog: Catalog) -> Iterator[str]:
    if not isinstance(scopes, list | tuple | set) or not all(isinstance(scope, str) for scope in scopes):
        yield f"{key} must be a list of scopes"
        return
    for scope in scopes:
        if scope == _OFFLINE_WORD and key == "allowed_scopes":
            continue
        try:
            parse(scope, catalog)
        except Invalid as error:
            yield f"{key}: {error}"


def _client(entry: Mapping[str, Any]) -> OAuthClient:
    allowed: Sequence[str] = list(entry.get("allowed_scopes", ()))
    uris = entry["redirect_uris"]
    return OAuthClient(
        client_id=entry["client_id"],
        hashed_secret="" if entry.get("public") else digest(entry["client_secret"]),
        redirect_uri=uris[0],
        access_scopes=tuple(sorted(entry.get("access_scopes", ()))),
        allowed_scopes=(
            *sorted(OFFLINE if scope == _OFFLINE_WORD else scope for scope in allowed),
            *USUAL_CLAIMS,
        ),
        description=entry.get("name") or entry["client_id"],
        kind="external",
        confirm=entry.get("confirm", True),
        other_redirect_uris=tuple(uris[1:]),
    )
