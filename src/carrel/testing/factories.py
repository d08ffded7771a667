"""Records with everything filled in, so that a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from traitlets.config import Config

from carrel.config.schema import Settings
from carrel.core.caller import Caller
from carrel.domain.roles import scopes_of_user
from carrel.domain.scopes import Scopes
from carrel.domain.servers import Actual, Server, Wanted
from carrel.domain.users import User

NOW = 1_800_000_000.0


def a_server(actual: str = "stopped", wanted: str = "stopped", **fields: Any) -> Server:
    """Return a server's record in a state."""
    values: dict[str, Any] = {"id": 1, "user_id": 1, "user_name": "ada", "name": "", "created": NOW}
    return Server(**values | {"actual": Actual(actual), "wanted": Wanted(wanted)} | fields)


def a_user(name: str = "ada", **fields: Any) -> User:
    """Return a user's record."""
    values: dict[str, Any] = {"id": 1, "name": name, "admin": False, "created": NOW}
    return User(**values | fields)


def a_caller(user: User, scopes: frozenset[str] | None = None) -> Caller:
    """Return somebody logged in, with all that `user` may do or with `scopes` (expanded) alone."""
    return Caller(user, Scopes(scopes_of_user(user.name, user.admin) if scopes is None else scopes))


def some_settings(plugins: Mapping[str, Mapping[str, Any]] | None = None, **values: Any) -> Settings:
    """Return settings for a hub in a test; `plugins` are sections of traitlets classes."""
    fixed: dict[str, Any] = {
        "authenticator_class": "dummy",
        "db_url": "sqlite://",
        "cookie_secret": bytes(32),
        "directory": Path("/nonexistent"),
        "activity_resolution": 30.0,
    }
    return Settings(plugins=Config(plugins or {}), **fixed | values)
