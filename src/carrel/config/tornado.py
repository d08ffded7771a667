"""`tornado_settings`: the few of Tornado's settings that mean something here, read from the dictionary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from carrel.config.schema import Settings

Finding = tuple[str, str, bool]
SameSite = Literal["lax", "strict", "none"]

#: What is read elsewhere, or by those who bring Tornado handlers.
KNOWN = ("headers", "cookie_options", "xsrf_cookie_kwargs", "slow_spawn_timeout", "slow_stop_timeout")

_NAME = "tornado_settings"
_POLICY = "content-security-policy"
_UNUSED = {
    "httponly": "the pages' scripts never see log-in cookies",
    "path": "cookies have the narrowest path that they can",
    "max_age": "c.JupyterHub.cookie_max_age_days says how long a log-in lasts",
    "expires": "c.JupyterHub.cookie_max_age_days says how long a log-in lasts",
    "expires_days": "c.JupyterHub.cookie_max_age_days says how long a log-in lasts",
}


@dataclass(frozen=True, slots=True)
class CookieOptions:
    """How browsers are to keep a cookie."""

    secure: bool | None = None
    """None: as the visitor's address says."""
    same_site: SameSite = "lax"
    domain: str = ""
    partitioned: bool = False


def cookie_options(settings: Settings, kind: str = "cookie_options") -> CookieOptions:
    """Return the options of the log-in's cookies, or with `xsrf_cookie_kwargs` those of the XSRF token's.

    Unset, the latter are those of the log-in.
    """
    given = _mapping(settings, kind) or _mapping(settings, "cookie_options")
    return _read(given)[0]


def reply_headers(settings: Settings) -> dict[str, str]:
    """Return the headers that every reply is to carry, by their names in lower case."""
    return {str(name).lower(): str(value) for name, value in _mapping(settings, "headers").items()}


def may_be_framed(settings: Settings) -> bool:
    """Tell whether pages of others may show the hub's pages in a frame."""
    policy = reply_headers(settings).get(_POLICY, "")
    ancestors = directives(policy).get("frame-ancestors", "'none'")
    return ancestors not in ("", "'none'")


def directives(policy: str) -> dict[str, str]:
    """Return the parts of a Content-Security-Policy: `script-src` to its sources."""
    parts = (part.strip().partition(" ") for part in policy.split(";"))
    return {name.lower(): value.strip() for name, _, value in parts if name}


def check_tornado(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with `tornado_settings`, and what of it does nothing."""
    for name in settings.tornado_settings:
        if name not in KNOWN:
            yield _NAME, f"not used by this version: {name}", False
    for name in ("headers", "cookie_options", "xsrf_cookie_kwargs"):
        if not isinstance(settings.tornado_settings.get(name, {}), Mapping):
            yield _NAME, f"{name} must be a dictionary", True
    for name, value in reply_headers(settings).items():
        if not name.replace("-", "").isalnum() or not name.isascii() or not value.isprintable():
            yield _NAME, f"headers: {name[:80]!r} cannot be sent as a header of one line", True


def check_cookies(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with how browsers are to keep cookies."""
    for name in ("cookie_options", "xsrf_cookie_kwargs"):
        options, faults = _read(_mapping(settings, name))
        for text, fatal in faults:
            yield _NAME, f"{name}: {text}", fatal
        if options.same_site == "none" and not options.secure and not serves_https(settings):
            text = f"{name}: browsers keep cookies with SameSite=None over HTTPS alone"
            yield _NAME, text, False
    if settings.cookie_host_prefix_enabled and not serves_https(settings):
        text = "browsers keep such cookies over HTTPS alone: without it nobody can log in"
        yield "cookie_host_prefix_enabled", text, False


def serves_https(settings: Settings) -> bool:
    """Tell whether visitors are known to come by HTTPS."""
    public = (settings.public_url, settings.subdomain_host)
    return bool(settings.ssl_cert) or any(url.startswith("https:") for url in public)


def _mapping(settings: Settings, name: str) -> Mapping[str, Any]:
    found = settings.tornado_settings.get(name, {})
    return found if isinstance(found, Mapping) else {}


def _read(given: Mapping[str, Any]) -> tuple[CookieOptions, list[tuple[str, bool]]]:
    faults: list[tuple[str, bool]] = []
    values: dict[str, Any] = {}
    for key, value in given.items():
        name = str(key).lower().replace("-", "_")
        if name == "samesite":
            wanted = str(value).lower()
            if wanted in ("lax", "strict", "none"):
                values["same_site"] = wanted
            else:
                faults.append((f"SameSite must be 'Lax', 'Strict' or 'None', not {value!r}", True))
        elif name in ("secure", "partitioned"):
            values[name] = bool(value)
        elif name == "domain":
            values["domain"] = str(value or "")
        else:
            faults.append((f"{key} is not used: {_UNUSED.get(name, 'no such attribute is set')}", False))
    return CookieOptions(**values), faults
