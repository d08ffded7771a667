"""`c.Proxy.extra_routes`: what a deployer wants served beside the hub."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from traitlets import Dict, Unicode

from carrel.domain.routes import Route


class RouteTable(Dict):
    """A trait: addresses by the paths (with subdomains: hosts and paths) whose requests they get."""

    info_text = "a dictionary of paths and addresses, such as {'/docs/': 'http://127.0.0.1:9000'}"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(value_trait=Unicode(), key_trait=Unicode(), **kwargs)

    def validate(self, obj: Any, value: Any) -> Any:
        """Return the table with a slash at the end of each path; raise TraitError for what is none."""
        table = super().validate(obj, value) or {}
        if not all("/" in spec and _is_address(target) for spec, target in table.items()):
            self.error(obj, value)
        return {spec if spec.endswith("/") else f"{spec}/": target for spec, target in table.items()}

    def info(self) -> str:
        """Return what it must be, for messages."""
        return self.info_text


def routes_of(table: dict[str, str]) -> dict[str, Route]:
    """Return the routes of a table, by their paths."""
    return {spec: Route(spec, target, {"extra": True}) for spec, target in table.items()}


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
