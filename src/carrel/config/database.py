"""`db_kwargs`: what SQLAlchemy would be told, and what of it means something here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from carrel.config.schema import Settings

Finding = tuple[str, str, bool]

#: As SQLAlchemy has it, for who sets one of the two.
_POOL_SIZE, _OVERFLOW = 5, 10
_CONNECTIONS = 8
_POOL = ("pool_size", "max_overflow")
_NEEDLESS = {
    "pool_pre_ping": "connections that are found dead are replaced",
    "pool_recycle": "connections that are found dead are replaced",
    "pool_timeout": "transactions wait for a connection as long as their request does",
    "pool_use_lifo": "the connection used last is used next",
}


def database_url(settings: Settings) -> str:
    """Return `db_url` with the parameters in `db_kwargs["connect_args"]`, which win over its own."""
    if not _is_server(settings):
        return settings.db_url
    wanted = {name: str(value) for name, value in _connect_args(settings).items()}
    if not wanted:
        return settings.db_url
    base, _, query = settings.db_url.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in wanted]
    added = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in wanted.items()]
    return f"{base}?{'&'.join([*kept, *added])}"


def connections(settings: Settings) -> int:
    """Return how many connections a hub may have to its database server at once."""
    given = settings.db_kwargs
    if not any(name in given for name in _POOL):
        return _CONNECTIONS
    # SQLAlchemy reads -1 as any number; the server has its own limit.
    overflow = int(given.get("max_overflow", _OVERFLOW))
    return max(1, int(given.get("pool_size", _POOL_SIZE)) + max(0, overflow))


def logs_statements(settings: Settings) -> bool:
    """Tell whether every SQL statement goes to the log."""
    return settings.debug_db or bool(settings.db_kwargs.get("echo"))


def check_database(settings: Settings) -> Iterator[Finding]:
    """Yield what of `db_kwargs` does nothing or is wrong, and what deletes more than may be meant."""
    for name, value in settings.db_kwargs.items():
        if name in _POOL:
            if not isinstance(value, int) or isinstance(value, bool):
                yield "db_kwargs", f"{name} must be a whole number", True
            elif not _is_server(settings):
                yield "db_kwargs", f"{name} is not used: SQLite needs no pool of connections", False
        elif name == "connect_args":
            if not isinstance(value, Mapping):
                yield "db_kwargs", "connect_args must be a dictionary", True
            elif not _is_server(settings):
                yield (
                    "db_kwargs",
                    "connect_args are not used: SQLite is opened as suits it",
                    False,
                )
        elif name != "echo":
            why = _NEEDLESS.get(name, "the database is opened with settings that suit it")
            yield "db_kwargs", f"{name} is not used: {why}", False
    if settings.reset_db:
        text = "users, tokens, groups and all else in the database are deleted at every start of the hub"
        yield "reset_db", text, False


def _is_server(settings: Settings) -> bool:
    return urlsplit(settings.db_url).scheme.startswith("postgres")


def _connect_args(settings: Settings) -> Mapping[str, Any]:
    found = settings.db_kwargs.get("connect_args", {})
    return found if isinstance(found, Mapping) else {}
