"""Servers, services, and the OAuth clients of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from carrel.compat.databases.move import TOO_DEAR, Move, own_form, to_json
from carrel.domain.scopes import access_scopes
from carrel.domain.servers import Actual, Wanted
from carrel.domain.services import service_access_scopes
from carrel.domain.tokens import HUB_CLIENT_ID
from carrel.lib.ids import compare_token, digest, fits_secret
from carrel.lib.net import EVERYWHERE
from carrel.spawners.imported import ImportedRun
from carrel.storage.jupyterhub.records import ClientRow, SpawnerRow


def take_servers(move: Move) -> None:
    """Take every server that ever was one, and adopt those that run."""
    shared = {row.spawner_id for row in move.data.shares}
    shared |= {row.spawner_id for row in move.data.share_codes}
    taken: set[tuple[int, str]] = set()
    found = []
    # Running ones first: should two have one name, the one that somebody works with stays.
    for row in sorted(move.data.spawners, key=lambda row: (row.server_id is None, row.id)):
        used = row.name or row.server_id or row.started or row.user_options or row.display_name
        if row.user_id not in move.users or not (used or row.id in shared):
            continue
        if (row.user_id, row.name) in taken:
            move.report.leave(move.label(row), "there are two of this name, and one stays behind")
            continue
        taken.add((row.user_id, row.name))
        move.spawners[row.id] = row
        found.append(_server(move, row))
    move.rows["servers"] = sorted(found, key=lambda row: int(row["id"]))


def _server(move: Move, row: SpawnerRow) -> dict[str, Any]:
    state, url = _adopted(move, row)
    running = state is not None
    return {
        "id": row.id,
        "user_id": row.user_id,
        "name": row.name,
        "created": row.started or move.users[row.user_id].created or move.terms.now,
        "wanted": str(Wanted.RUNNING if running else Wanted.STOPPED),
        "actual": str(Actual.RUNNING if running else Actual.STOPPED),
        "version": 1,
        "wanted_generation": int(running),
        "generation": int(running),
        "fence": 0,
        "state": to_json(state or {}),
        "user_options": to_json(row.user_options or {}),
        "display_name": row.display_name or "",
        "url": url,
        "started": row.started if running else None,
        "last_activity": row.last_activity,
        "node": move.terms.node if running else "",
        "wished": 0.0,
    }


def _adopted(move: Move, row: SpawnerRow) -> tuple[Mapping[str, Any] | None, str]:
    """Return the checkpoint of a server that runs, and its URL; None and nothing for another."""
    server = None if row.server_id is None else move.addresses.get(row.server_id)
    if server is None:
        return None, ""
    ip = "127.0.0.1" if server.ip in EVERYWHERE else server.ip
    own = move.own_tokens(row, server.base_url)

    def is_its_token(secret: str) -> bool:
        return any(compare_token(token.hashed, secret) for token in own)

    run = ImportedRun(move.users[row.user_id].name, row.name, ip, server.port, is_its_token)
    state = move.terms.adopt(row.state if isinstance(row.state, dict) else {}, run)
    if state is None:
        move.report.leave(move.label(row), "does not run any more, or is not to be seen from here: stopped")
        return None, ""
    move.running[row.id] = server.base_url
    return state, f"{server.proto or 'http'}://{f'[{ip}]' if ':' in ip else ip}:{server.port}"


def take_services(move: Move) -> None:
    """Take what is known of services; the configuration's are told anew with every start."""
    clients: set[str] = set()
    move.rows["services"] = []
    for row in move.data.services:
        client = row.oauth_client_id if row.oauth_client_id not in clients else None
        clients |= {client} if client else set()
        move.rows["services"].append(
            {
                "id": row.id,
                "name": row.name,
                "admin": bool(row.admin),
                "url": row.url or "",
                "client_id": client or None,
                "no_confirm": bool(row.oauth_no_confirm),
                "display": row.display is not False,
                "info": to_json(row.info or {}),
                "command": to_json(row.command or []),
                "timeout": row.timeout,
                "from_config": row.from_config is not False,
            }
        )


def take_clients(move: Move) -> None:
    """Take the OAuth clients of running servers and of services."""
    by_id = {row.oauth_client_id: row.id for row in move.spawners.values() if row.oauth_client_id}
    # JupyterHub 1 has not written down which server is which client's.
    by_address = {f"{url}oauth_callback": number for number, url in move.running.items()}
    services = {row.oauth_client_id: row.name for row in move.data.services if row.oauth_client_id}
    move.rows["oauth_clients"] = []
    for row in move.data.oauth_clients:
        server = by_id.get(row.identifier) or by_address.get(row.redirect_uri or "")
        if row.identifier == HUB_CLIENT_ID or not row.redirect_uri:
            continue
        if server in move.running:
            spawner = move.spawners[server]
            access = access_scopes(move.users[spawner.user_id].name, spawner.name)
            _take_client(move, row, "server", access, server)
        elif row.identifier in services:
            _take_client(move, row, "service", service_access_scopes(services[row.identifier]), None)


def _take_client(move: Move, row: ClientRow, kind: str, access: Sequence[str], server: int | None) -> None:
    secret = row.secret or ""
    told = move.terms.service_secrets.get(row.identifier)
    if told is not None and fits_secret(secret, told):
        # As the first start will store it: a client whose secret changes loses its visitors.
        secret = digest(told)
    kept = own_form(secret)
    if kept is None:
        move.report.leave(f"OAuth client {row.identifier}", TOO_DEAR)
        return
    allowed = move.scopes(row.allowed_scopes, f"OAuth client {row.identifier}")
    move.rows["oauth_clients"].append(
        {
            "client_id": row.identifier,
            "hashed_secret": kept,
            "redirect_uri": row.redirect_uri,
            "access_scopes": to_json(access),
            "allowed_scopes": to_json([scope for scope in allowed if scope not in access]),
            "description": row.description or "",
            "server_id": server,
            "kind": kind,
            "confirm": True,
            "other_redirect_uris": "[]",
        }
    )
