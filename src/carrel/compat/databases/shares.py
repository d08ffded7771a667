"""Shares and share codes."""

from __future__ import annotations

from carrel.compat.databases.move import Move, own_form, to_json
from carrel.storage.jupyterhub.records import ShareCodeRow, ShareRow


def take_shares(move: Move) -> None:
    """Take what is shared of servers that come along."""
    move.rows["shares"] = []
    seen = set()
    for row in move.data.shares:
        user = row.user_id if row.user_id in move.users else None
        group = row.group_id if row.group_id in move.groups else None
        key = (row.spawner_id, user, group)
        if (user is None) == (group is None) or key in seen or not _is_good(move, row):
            continue
        seen.add(key)
        move.rows["shares"].append(
            {
                "id": row.id,
                "server_id": row.spawner_id,
                "user_id": user,
                "group_id": group,
                "scopes": to_json(_names(move, row)),
                "created": row.created_at or move.terms.now,
            }
        )


def take_codes(move: Move) -> None:
    """Take the share codes that are still good."""
    move.rows["share_codes"] = []
    for row in move.data.share_codes:
        kept = own_form(row.hashed)
        if kept is None or row.expires_at is None or not _is_good(move, row):
            continue
        move.rows["share_codes"].append(
            {
                "id": row.id,
                "server_id": row.spawner_id,
                "hashed": kept,
                "prefix": row.prefix,
                "scopes": to_json(_names(move, row)),
                "created": row.created_at or move.terms.now,
                "expires": row.expires_at,
                "exchange_count": row.exchange_count,
                "last_exchanged": row.last_exchanged_at,
            }
        )


def _is_good(move: Move, row: ShareRow | ShareCodeRow) -> bool:
    over = row.expires_at is not None and row.expires_at <= move.terms.now
    return not over and row.spawner_id in move.spawners and bool(_names(move, row))


def _names(move: Move, row: ShareRow | ShareCodeRow) -> list[str]:
    """Return the scopes of a share without their filter, which is its server here."""
    names = {str(scope).partition("!")[0] for scope in row.scopes or ()}
    return sorted(name for name in names if name in move.terms.catalog.scopes)
