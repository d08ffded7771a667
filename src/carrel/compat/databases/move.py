"""A take-over under way: what is known so far, shared by those who convert its parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from carrel.compat.databases.report import Report
from carrel.domain.names import server_label
from carrel.domain.scope_catalog import METASCOPES, Catalog
from carrel.domain.scopes import known
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.lib.clock import Timestamp
from carrel.lib.sealing import Sealer
from carrel.spawners.imported import ImportedRun
from carrel.storage.jupyterhub.records import JupyterHubData, ServerRow, SpawnerRow, TokenRow, UserRow

Adopt = Callable[[Mapping[str, Any], ImportedRun], Mapping[str, Any] | None]
Rows = dict[str, list[dict[str, Any]]]
#: JupyterHub's own number: more rounds nobody asked it for, and each look-up would pay for them.
_MOST_ROUNDS = 16384
#: A word of JupyterHub 2 for what every token may do here.
_IDENTIFY = "identify"
TOO_DEAR = "its digest has a form that is not looked up here: make it anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the hub that takes over is like."""

    now: Timestamp
    cookie_life: float
    """How long a log-in cookie is good after it was signed, in seconds."""
    adopt: Adopt
    sealer: Sealer
    catalog: Catalog
    node: str = ""
    """The machine, where servers are bound to one."""
    secrets: Collection[str] = ()
    """Tokens that the configuration brings by itself."""
    service_secrets: Mapping[str, str] = field(default_factory=dict)
    """Secrets of the configuration's services, by their OAuth client."""
    keep_auth_state: bool = True


@dataclass
class Move:
    """One take-over."""

    data: JupyterHubData
    terms: Terms
    report: Report = field(default_factory=Report)
    rows: Rows = field(default_factory=dict)
    """Ours, by table."""
    users: dict[int, UserRow] = field(default_factory=dict)
    """Who comes along."""
    spawners: dict[int, SpawnerRow] = field(default_factory=dict)
    """Which servers do."""
    running: dict[int, str] = field(default_factory=dict)
    """The base URL of each server that is adopted, by its spawner's id."""

    @cached_property
    def groups(self) -> dict[int, str]:
        """Return the names of all groups, by id."""
        return {row.id: row.name for row in self.data.groups}

    @cached_property
    def addresses(self) -> dict[int, ServerRow]:
        """Return where everything that runs is, by id."""
        return {row.id: row for row in self.data.servers}

    def own_tokens(self, row: SpawnerRow, base_url: str) -> Sequence[TokenRow]:
        """Return the tokens that a server was started with: what is noted on them is all that tells them."""
        return self._noted.get((row.user_id, f"Server at {base_url}"), ())

    @cached_property
    def _noted(self) -> dict[tuple[int | None, str | None], list[TokenRow]]:
        found: dict[tuple[int | None, str | None], list[TokenRow]] = {}
        for token in self.data.api_tokens:
            if token.client_id == HUB_CLIENT_ID and token.expires_at is None:
                found.setdefault((token.user_id, token.note), []).append(token)
        return found

    def label(self, row: SpawnerRow) -> str:
        """Return what a server is called in the report."""
        return f"server {server_label(self.users[row.user_id].name, row.name or '')}"

    def scopes(self, scopes: Any, whose: str) -> list[str]:
        """Return the scopes that exist here; others are told, for they give nothing."""
        wanted = [str(scope) for scope in scopes or () if scope != _IDENTIFY]
        good = [scope for scope in wanted if scope in METASCOPES or known([scope], self.terms.catalog)]
        for scope in wanted:
            if scope not in good:
                self.report.leave(whose, f"has the scope {scope[:80]}, which does not exist here")
        return good


def own_form(hashed: str) -> str | None:
    """Return what we store for a digest of JupyterHub's; None for one that takes too long to compare.

    One round of SHA-256 without salt is exactly our own form, which is how an export of ours comes back.
    """
    parts = hashed.split(":")
    if len(parts) != 4:
        return hashed or None
    algorithm, rounds, salt, value = parts
    if (algorithm, rounds, salt) == ("sha256", "1", ""):
        return value
    # Of no round at all the secret would be no part.
    if algorithm != "sha512" or not rounds.isdecimal() or not 1 <= int(rounds) <= _MOST_ROUNDS:
        return None
    return hashed


def to_json(value: Any) -> str:
    """Return JSON as our text columns have it."""
    return msgspec.json.encode(value).decode()
