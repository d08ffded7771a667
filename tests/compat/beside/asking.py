"""What is asked of both hubs: requests as data, in sequences that build on each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

#: No body at all; None is sent as JSON's null.
NOTHING = object()
PAGES = {"Accept": "application/jupyterhub-pagination+json"}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `$name` in path, body and headers stands for what an earlier reply was kept as.

    `$stub` is the port of a server that answers everything.
    """

    method: str
    path: str
    """Below `/hub/api`, or whole when it begins with `/hub` and is a page."""
    who: str = "admin"
    """A key of `hubs.WHO`."""
    body: Any = NOTHING
    """Sent as JSON; bytes as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: Mapping[str, str] = field(default_factory=dict)
    """Name → where the value is: in the reply's JSON, with dots (`token`, `0.name`), or in its redirect
    (`location?code`)."""
    until: tuple[str, Any] | None = None
    """Ask again until this aspect of the reply has this value."""

    @property
    def label(self) -> str:
        """Return the line that the table of differences is matched against."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Case:
    """Requests that build on each other; no other case depends on what they leave behind."""

    name: str
    asks: tuple[Ask, ...]

    def __str__(self) -> str:
        return self.name


def case(name: str, *asks: Ask) -> Case:
    """Return a case."""
    return Case(name, asks)


def with_user(name: str, *asks: Ask) -> Case:
    """Return a case with a user of its own, who is `pat` in the requests."""
    mine = f"srv-{name.lower().replace(' ', '-')}"
    own = (replace(ask, path=ask.path.replace("/pat", f"/{mine}")) for ask in asks)
    return case(f"a server, {name}", post(f"/users/{mine}"), *own, delete(f"/users/{mine}"))


def get(path: str, who: str = "admin", **details: Any) -> Ask:
    """Return a GET."""
    return Ask("GET", path, who, **details)


def post(path: str, body: Any = NOTHING, who: str = "admin", **details: Any) -> Ask:
    """Return a POST."""
    return Ask("POST", path, who, body, **details)


def put(path: str, body: Any = NOTHING, who: str = "admin", **details: Any) -> Ask:
    """Return a PUT."""
    return Ask("PUT", path, who, body, **details)


def patch(path: str, body: Any = NOTHING, who: str = "admin", **details: Any) -> Ask:
    """Return a PATCH."""
    return Ask("PATCH", path, who, body, **details)


def delete(path: str, who: str = "admin", body: Any = NOTHING, **details: Any) -> Ask:
    """Return a DELETE."""
    return Ask("DELETE", path, who, body, **details)
