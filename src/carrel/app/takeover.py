"""`carrel import-jupyterhub`: a JupyterHub database into ours, in one transaction or not at all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from carrel.app.classes import resolve_classes
from carrel.app.hubs import this_hub
from carrel.compat.databases.incoming import convert
from carrel.compat.databases.move import Rows, Terms
from carrel.compat.databases.report import Report, counted
from carrel.config.addresses import proxy_to_hub
from carrel.config.rights import read_rights
from carrel.config.schema import Settings, without_password
from carrel.config.secrets import crypt_keys, own_secret
from carrel.config.services import read_services
from carrel.core.service_records import CONFIG_USER_TOKENS
from carrel.lib.clock import Clock, SystemClock, isoformat
from carrel.lib.process_table import users_of_file
from carrel.lib.sealing import Sealer
from carrel.storage.base import StorageError, Transaction
from carrel.storage.jupyterhub.records import JupyterHubData
from carrel.storage.jupyterhub.source import is_same, open_source, sqlite_file
from carrel.storage.rollback import back_up, is_there
from carrel.storage.sql.store import SqlStore

_DAY = 86400.0
#: The fact that says where a database's rows came from.
IMPORTED = "imported"
#: What shows that somebody has used a database, beyond a first start that brought in the configuration.
_PRECIOUS = ("sessions", "servers", "tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportWish:
    """What somebody asks for."""

    url: str
    dry_run: bool = False
    replace: bool = False
    """Whether what the database holds so far may go."""
    keep_auth_state: bool = True


class ImportRefused(StorageError):
    """Nothing was written; `report` says what was found."""

    def __init__(self, text: str, report: Report) -> None:
        super().__init__(text)
        self.report = report


def import_jupyterhub(settings: Settings, wish: ImportWish) -> list[str]:
    """Take over a JupyterHub database, or with `dry_run` only say what that would do; return the report.

    The database that is read stays as it is. Raises StorageError for one that cannot be read and for one of
    ours that cannot take it, ImportRefused when something must be put right first.
    """
    if is_same(wish.url, settings.db_url, settings.directory):
        raise StorageError(
            "The database to import is the one that db_url names, and JupyterHub's stays as it is: "
            "set c.JupyterHub.db_url to a database for Carrel (sqlite:///carrel.sqlite), or give it with --db"
        )
    with open_source(wish.url, settings.directory) as source:
        data = source.read()
    clock = SystemClock()
    rows, report = convert(data, terms_of(settings, clock, wish))
    _tell_of_log_ins(settings, report)
    _look_for_users(settings, wish, report)
    if report.blocked and not wish.dry_run:
        raise ImportRefused("Nothing was imported: " + "; ".join(report.blocked), report)
    if wish.dry_run:
        return [*report.lines(), "Nothing was written (--dry-run)."]
    asyncio.run(_write(settings, clock, wish, data, rows))
    return [*report.lines(), f"All of it is in {without_password(settings.db_url)} now."]


def terms_of(settings: Settings, clock: Clock, wish: ImportWish) -> Terms:
    """Return what the hub of these settings is like, for the conversion."""
    spawner_class = resolve_classes(settings).spawner
    services = read_services(settings)[0]
    tokens = {token for some in services.tokens.values() for token in some}
    return Terms(
        now=clock.now(),
        cookie_life=settings.cookie_max_age_days * _DAY,
        adopt=spawner_class.adopt_imported,
        sealer=Sealer(crypt_keys(settings, os.environ, needed=False)),
        catalog=read_rights(settings)[0].catalog,
        node=this_hub(settings, proxy_to_hub(settings)).node if spawner_class.bound_to_node else "",
        secrets=tokens | set(services.user_tokens),
        service_secrets={
            service.client_id: service.api_token
            for service in services.services
            if service.client_id and service.api_token
        },
        keep_auth_state=wish.keep_auth_state,
    )


def _tell_of_log_ins(settings: Settings, report: Report) -> None:
    secret, _ = own_secret(settings)
    path = settings.resolve(settings.cookie_secret_file)
    if secret:
        report.does.append("everybody's log-in: the cookie secret is the same")
    else:
        report.leave(
            "everybody's log-in",
            f"there is no cookie secret at {path}: copy JupyterHub's there before the start",
        )


def _look_for_users(settings: Settings, wish: ImportWish, report: Report) -> None:
    path = sqlite_file(wish.url, settings.directory)
    pids = users_of_file(path) if path is not None else []
    if pids:
        who = ", ".join(map(str, pids))
        report.blocked.append(
            f"JupyterHub still has {path} open (pid {who}): stop it first; users' servers may go on running"
        )


async def _write(
    settings: Settings, clock: Clock, wish: ImportWish, data: JupyterHubData, rows: Rows
) -> None:
    something = is_there(settings.db_url, settings.directory)
    store = SqlStore(settings.db_url, directory=settings.directory, clock=clock)
    await store.open()
    try:
        async with store.read() as tx:
            await _refuse_what_is_used(tx, clock, wish)
        if something:
            back_up(settings.db_url, settings.directory, clock, occasion="before-import")
        async with store.write(durable=True) as tx:
            await _refuse_what_is_used(tx, clock, wish)
            await tx.bulk.clear()
            # They are named by number, and the numbers are others now.
            await tx.facts.put(CONFIG_USER_TOKENS, "")
            await tx.bulk.put(rows)
            await tx.facts.put(IMPORTED, _origin(clock, wish, data))
    finally:
        await store.close()


async def _refuse_what_is_used(tx: Transaction, clock: Clock, wish: ImportWish) -> None:
    """Raise StorageError for a database with hubs, or with what would be missed unless it may go."""
    alive = await tx.hubs.alive(clock.now())
    if alive:
        names = ", ".join(f"{hub.owner} at {hub.url}" for hub in alive)
        raise StorageError(f"Nothing was imported: hubs use the database ({names}); stop them first")
    if wish.replace:
        return
    before: Mapping[str, Any] | None = msgspec.json.decode(await tx.facts.get(IMPORTED) or "null")
    counts = {table: await tx.bulk.count(table) for table in _PRECIOUS}
    if before is not None:
        raise StorageError(
            f"Nothing was imported: {before['url']} was imported on {before['at']} already; --replace does "
            "it again and removes all that was changed since"
        )
    if any(counts.values()):
        held = ", ".join(counted(count, table[:-1]) for table, count in counts.items() if count)
        raise StorageError(
            f"Nothing was imported: the database is in use (it holds {held}); --replace removes that first"
        )


def _origin(clock: Clock, wish: ImportWish, data: JupyterHubData) -> str:
    origin = {"url": without_password(wish.url), "revision": data.revision, "at": isoformat(clock.now())}
    return msgspec.json.encode(origin).decode()
