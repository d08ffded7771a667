"""Tokens of users and services, and what browsers were given for servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from carrel.compat.databases.move import TOO_DEAR, Move, own_form, to_json
from carrel.domain.roles import scopes_of_server_token
from carrel.domain.scope_catalog import INHERIT
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.lib.ids import fits_secret, token_prefix
from carrel.storage.jupyterhub.records import TokenRow

_PREFIX_LENGTH = 4


def take_tokens(move: Move) -> None:
    """Take every token that is still good and can be looked up."""
    move.rows["tokens"], move.rows["service_tokens"] = [], []
    taking = _Taking(move)
    for row in move.data.api_tokens:
        kept = _kept_digest(move, row)
        if kept is None:
            continue
        if row.service_id is not None:
            _take_service_token(move, row, kept)
        elif row.user_id in move.users:
            taking.take(row, kept)


def _kept_digest(move: Move, row: TokenRow) -> str | None:
    """Return what is stored of a token that comes along."""
    if row.expires_at is not None and row.expires_at <= move.terms.now:
        return None
    kept = own_form(row.hashed)
    if kept is None or len(row.prefix) != _PREFIX_LENGTH:
        move.report.leave(f"token {row.prefix[:_PREFIX_LENGTH]}…", TOO_DEAR)
        return None
    alike = (secret for secret in move.terms.secrets if token_prefix(secret) == row.prefix)
    if any(fits_secret(row.hashed, secret) for secret in alike):
        # The configuration says whose it is, with every start.
        return None
    return kept


def _take_service_token(move: Move, row: TokenRow, kept: str) -> None:
    name = next((each.name for each in move.data.services if each.id == row.service_id), None)
    if name is None:
        return
    if row.expires_at is not None or INHERIT not in (row.scopes or ()):
        why = "tokens of services have neither an end nor scopes of their own here: make it anew"
        move.report.leave(f"token {row.prefix}… of service {name}", why)
        return
    move.rows["service_tokens"].append(
        {
            "id": row.id,
            "service_id": row.service_id,
            "prefix": row.prefix,
            "hashed": kept,
            "created": row.created or move.terms.now,
            "note": row.note or "",
            "generated": False,
        }
    )


@dataclass
class _Taking:
    """What has to be known of all tokens to take one."""

    move: Move
    servers: dict[int, int] = field(default_factory=dict)
    """The server that each server's own token is of."""
    clients: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    sessions: dict[str, set[int | None]] = field(default_factory=dict)
    """Whose tokens belong to a browser's session."""

    def __post_init__(self) -> None:
        move = self.move
        for number, base_url in move.running.items():
            own = move.own_tokens(move.spawners[number], base_url)
            self.servers |= {token.id: number for token in own}
        self.clients = {str(row["client_id"]): row for row in move.rows["oauth_clients"]}
        for row in move.data.api_tokens:
            if row.session_id:
                self.sessions.setdefault(row.session_id, set()).add(row.user_id)

    def take(self, row: TokenRow, kept: str) -> None:
        client = row.client_id or ""
        if client != HUB_CLIENT_ID and client not in self.clients:
            # Of a client that is gone: it opens nothing any more.
            return
        # What ends with one person's log-out must not be another's.
        shared_session = len(self.sessions.get(row.session_id or "", ())) > 1
        self.move.rows["tokens"].append(
            {
                "id": row.id,
                "user_id": row.user_id,
                "prefix": row.prefix,
                "hashed": kept,
                "scopes": to_json(self._scopes(row, client)),
                "created": row.created or self.move.terms.now,
                "note": row.note or "",
                "client_id": client,
                "session_id": None if shared_session else row.session_id,
                "server_id": self.servers.get(row.id),
                "last_activity": row.last_activity,
                "expires": row.expires_at,
            }
        )

    def _scopes(self, row: TokenRow, client: str) -> list[str]:
        """Return what a token may do; where an old release has not said it, what one made here would."""
        owner = self.move.users[row.user_id or 0].name
        scopes = self.move.scopes(row.scopes, f"token {row.prefix}… of {owner}")
        server = self.servers.get(row.id)
        if server is not None and (not scopes or INHERIT in scopes):
            return sorted(scopes_of_server_token(owner, self.move.spawners[server].name))
        if client in self.clients and not scopes:
            access: list[str] = msgspec.json.decode(self.clients[client]["access_scopes"])
            kind = self.clients[client]["kind"]
            return [scope for scope in access if f"!{kind}=" in scope]
        return scopes
