"""On which host what is served: all on one, or with subdomains every user and every service on their own.

A browser keeps pages of different hosts apart: what one user's server sends can then do nothing with the
pages of another's, or of the hub.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from carrel.domain.names import server_prefix, servers_prefix
from carrel.domain.services import service_prefix

#: Takes a name, the hub's domain and what it is the name of (`user`, `service`); returns a host name.
Hook = Callable[[str, str, str], str]

_LABEL = re.compile(r"(?!\d+$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")


def idna_host(name: str, domain: str, kind: str) -> str:
    """Return `NAME.DOMAIN`, and `NAME--service.DOMAIN` for a service; no two names have the same.

    What no host can be called, and what may be the form of something else, gets a part by its hash.
    """
    suffix = "" if kind == "user" else f"--{kind}"
    return f"{_label(name)}{suffix}.{domain}"


def legacy_host(name: str, domain: str, kind: str) -> str:
    """Return what JupyterHub called hosts before 5.0: services share one, not all are proper names."""
    if kind == "service":
        return f"services.{domain}"
    quoted = quote(name, safe="").lower()
    escaped = "".join(c if c.isalnum() or c in "-.%" else f"%{ord(c):x}" for c in quoted)
    return f"{escaped.replace('%', '_')}.{domain}"


def hook_trouble(hook: Hook, domain: str) -> str:
    """Return what is wrong with what a deployer's hook makes of a plain name; empty when it is a host."""
    for kind in ("user", "service"):
        try:
            host = hook("ada", domain, kind)
        except Exception as error:
            return f"it fails for {kind} 'ada': {error!r}"
        if not isinstance(host, str) or not _HOST.fullmatch(host.lower()):
            return f"it must return a host name such as ada.{domain}, not {host!r:.80}"
        if not host.lower().endswith(f".{domain}"):
            return f"it must return a host below {domain}, not {host!r:.80}"
    return ""


def _label(name: str) -> str:
    if "--" not in name:
        if _LABEL.fullmatch(name):
            return name
        try:
            encoded = name.encode("idna").decode("ascii")
        except UnicodeError:
            encoded = name
        # Names that differ in what IDNA does not tell apart must not share a host.
        if encoded != name and _LABEL.fullmatch(encoded) and encoded.encode().decode("idna") == name:
            return encoded
    stub = "".join(c for c in name.lower() if "a" <= c <= "z" or "0" <= c <= "9")[:8] or "x"
    return f"u-{stub}--{hashlib.sha256(name.encode()).hexdigest()[:7]}"


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where the public finds the hub, servers and services."""

    base_url: str = "/"
    origin: str = ""
    """Scheme, host and port of the hub; empty when nobody has said."""
    subdomains: bool = False
    hook: Hook = idna_host

    @property
    def domain(self) -> str:
        """Return the hub's host without port; empty without subdomains."""
        return (urlsplit(self.origin).hostname or "") if self.subdomains else ""

    @property
    def below(self) -> str:
        """Return all users' and services' hosts as page policies name them; empty without subdomains."""
        parts = urlsplit(self.origin)
        return f"{parts.scheme}://*.{parts.netloc}" if self.subdomains else ""

    def is_of_others(self, host: str) -> bool:
        """Tell whether a Host header names a user's or a service's host."""
        name = re.sub(r":\d*$", "", host).lower().rstrip(".")
        return self.subdomains and name.endswith(f".{self.domain}")

    def of_user(self, name: str) -> str:
        """Return scheme, host and port of a user's servers; empty for the hub's own."""
        return self._origin_of(name, "user")

    def of_service(self, name: str) -> str:
        """Return scheme, host and port of a service; empty for the hub's own."""
        return self._origin_of(name, "service")

    def server_url(self, user_name: str, server_name: str = "") -> str:
        """Return where a browser opens a server: a path, where it is on the hub's host."""
        return self.of_user(user_name) + server_prefix(self.base_url, user_name, server_name)

    def full_server_url(self, user_name: str, server_name: str = "") -> str | None:
        """Return where a browser opens a server, scheme and host included; None when nobody knows."""
        origin = self.of_user(user_name) or self.origin
        return origin + server_prefix(self.base_url, user_name, server_name) if origin else None

    def service_url(self, name: str) -> str:
        """Return where a browser opens a service: a path, where it is on the hub's host."""
        return self.of_service(name) + service_prefix(self.base_url, name)

    def full(self, path: str) -> str | None:
        """Return a page of the hub with scheme and host; None when nobody knows them."""
        return f"{self.origin}{path}" if self.origin else None

    def server_spec(self, user_name: str, server_name: str = "") -> str:
        """Return the route specification of a server; with subdomains it begins with a host."""
        return self._host_of(user_name, "user") + server_prefix(self.base_url, user_name, server_name)

    def service_spec(self, name: str) -> str:
        """Return the route specification of a service."""
        return self._host_of(name, "service") + service_prefix(self.base_url, name)

    def hub_spec(self, wanted: str = "") -> str:
        """Return the route specification of the hub: of all that has no other, unless one is `wanted`."""
        if not self.subdomains:
            return wanted or self.base_url
        return f"{self.domain}{wanted}" if wanted.strip("/") else "/"

    @property
    def servers(self) -> str:
        """Return the path below which all servers are, on whatever host."""
        return servers_prefix(self.base_url)

    def _host_of(self, name: str, kind: str) -> str:
        """Return a host without port; empty without subdomains. What a hook makes must be one."""
        if not self.subdomains:
            return ""
        host = str(self.hook(name, self.domain, kind)).lower()
        # One that is not below the hub's would not be told from it where that matters.
        proper = _HOST.fullmatch(host) and host.endswith(f".{self.domain}")
        return host if proper else idna_host(name, self.domain, kind)

    def _origin_of(self, name: str, kind: str) -> str:
        if not self.subdomains:
            return ""
        parts = urlsplit(self.origin)
        port = f":{parts.port}" if parts.port is not None else ""
        return f"{parts.scheme}://{self._host_of(name, kind)}{port}"
