"""The migrations make what the tables say, and an upgrade keeps a copy of what was there."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, create_engine, text
from sqlalchemy.pool import NullPool

from carrel.lib.clock import SystemClock
from carrel.storage.backups import Backups
from carrel.storage.base import SchemaMismatch, StorageError
from carrel.storage.migrate import Schema
from carrel.storage.sql.store import SqlStore
from carrel.storage.sql.tables import REVISION, metadata

NEXT = f"""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "next", "{REVISION}"
def upgrade():
    with op.batch_alter_table("users", recreate="always") as batch:
        batch.add_column(sa.Column("shoe_size", sa.Integer()))
"""

SQLITE_SHAPE = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name != 'alembic_version'"
POSTGRESQL_SHAPE = """
SELECT 'index', indexname, tablename, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT 'constraint', conname, conrelid::regclass::text, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT 'column', column_name, table_name,
  concat_ws(' ', data_type, is_nullable, column_default, collation_name)
  FROM information_schema.columns WHERE table_schema = 'public'
"""


def shape(url: str, query: str) -> list[tuple[Any, ...]]:
    """Return a description of all tables and indexes, with the lines of each sorted."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(text(query)) if "alembic_version" not in row]
    return sorted((*row[:3], lines(row[3])) for row in rows)


def lines(definition: str | None) -> Sequence[str]:
    """Return the parts of a definition; a column that was added later stands behind the constraints."""
    return sorted(filter(None, (part.strip(" \t()") for part in re.split("[\n,]", definition or ""))))


def next_schema(tmp_path: Path, migration: str = NEXT, usable_since: str = "next") -> Schema:
    """Return a later release's schema: one more migration, that rebuilds a table others refer to."""
    directory = tmp_path / "migrations"
    shutil.copytree(Schema().directory, directory, ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "versions" / "next.py").write_text(migration)
    return Schema(directory, "next", usable_since)


def store_in(directory: Path, schema: Schema | None = None, url: str = "sqlite:///c.sqlite") -> SqlStore:
    return SqlStore(url, directory=directory, clock=SystemClock(), schema=schema)


async def fill(store: SqlStore) -> None:
    await store.open()
    async with store.write() as tx:
        user = await tx.users.create("ada", admin=True, now=1.0)
        await tx.servers.create(user.id, "", now=2.0)
    await store.close()


def test_the_newest_migration_is_the_revision_of_the_tables() -> None:
    config = Config()
    config.set_main_option("script_location", str(Schema().directory))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_heads() == [REVISION]


async def test_a_new_sqlite_database_is_what_the_migrations_make(tmp_path: Path) -> None:
    await fill(store_in(tmp_path))
    with closing(sqlite3.connect(tmp_path / "migrated.sqlite", isolation_level=None)) as connection:
        Schema().upgrade_sqlite(connection, "")
    made, migrated = (
        shape(f"sqlite:///{tmp_path}/{name}.sqlite", SQLITE_SHAPE) for name in ("c", "migrated")
    )
    assert made == migrated
    assert len(made) > 20
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]


def described() -> MetaData:
    """Return the tables with the conditions of their indexes, which are written down for SQLite alone."""
    copy = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.sorted_tables:
        for index in table.to_metadata(copy).indexes:
            where = index.dialect_options["sqlite"]["where"]
            index.dialect_options["postgresql"]["where"] = (
                text("admin") if str(where) == "admin = 1" else where
            )
    return copy


@pytest.mark.real
async def test_postgresql_gets_the_tables_as_described(postgres_url: str, tmp_path: Path) -> None:
    await fill(store_in(tmp_path, url=postgres_url))
    url = postgres_url.replace("postgresql:", "postgresql+psycopg:")
    migrated = shape(url, POSTGRESQL_SHAPE)
    engine = create_engine(url, poolclass=NullPool)
    metadata.drop_all(engine)
    described().create_all(engine)
    assert shape(url, POSTGRESQL_SHAPE) == migrated
    assert len(migrated) > 60


async def test_an_older_database_is_copied_and_upgraded(tmp_path: Path) -> None:
    await fill(store_in(tmp_path))
    upgraded = store_in(tmp_path, next_schema(tmp_path))
    with pytest.raises(SchemaMismatch, match=f"older schema {REVISION}: start the hub once"):
        await upgraded.open(claim=False)
    await upgraded.open()
    async with upgraded.write() as tx:
        ada = await tx.users.get("ada")
        assert ada is not None
        # Rebuilding the users' table must not have cascaded into theirs.
        assert await tx.servers.get(ada.id, "") is not None
    await upgraded.close()
    [made] = Backups(tmp_path / "c.sqlite", SystemClock()).all()
    assert (made.occasion, made.revision) == ("before-upgrade", REVISION)
    with closing(sqlite3.connect(made.path)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchall() == [(REVISION,)]
        assert copy.execute("SELECT name FROM users").fetchall() == [("ada",)]
    with pytest.raises(SchemaMismatch, match="newer Carrel"):
        await store_in(tmp_path).open()


async def test_a_failed_upgrade_changes_nothing(tmp_path: Path) -> None:
    await fill(store_in(tmp_path))
    broken = NEXT + "    op.execute('CREATE TABLE half (id INTEGER)')\n    op.execute('no such statement')\n"
    with pytest.raises(StorageError, match="nothing was changed"):
        await store_in(tmp_path, next_schema(tmp_path, broken)).open()
    await store_in(tmp_path).open()
    assert "half" not in str(shape(f"sqlite:///{tmp_path}/c.sqlite", SQLITE_SHAPE))
    assert "shoe_size" not in str(shape(f"sqlite:///{tmp_path}/c.sqlite", SQLITE_SHAPE))


async def test_the_release_before_goes_on_with_what_was_only_added_to(tmp_path: Path) -> None:
    await fill(store_in(tmp_path))
    await upgrade_beside(store_in(tmp_path), store_in(tmp_path, next_schema(tmp_path, usable_since="0001")))


@pytest.mark.real
async def test_two_releases_share_a_database(postgres_url: str, tmp_path: Path) -> None:
    old, new = (
        store_in(tmp_path, schema, postgres_url)
        for schema in (None, next_schema(tmp_path, NEXT.replace('"always"', '"auto"'), usable_since="0002"))
    )
    await fill(old)
    await old.open()
    await new.open()
    for number, store in enumerate((old, new, old)):
        async with store.write() as tx:
            await tx.users.create(f"user{number}", admin=False, now=3.0)
    await old.close()
    await new.close()
    await upgrade_beside(old, new)


async def upgrade_beside(old: SqlStore, new: SqlStore) -> None:
    """The old release starts on what the new one has upgraded, and upgrades nothing back."""
    await new.open()
    await new.close()
    for claim in (True, False):
        await old.open(claim=claim)
        async with old.write() as tx:
            ada = await tx.users.get("ada")
            assert ada is not None
            await tx.users.set_admin(ada.id, False)
        await old.close()
    await new.open(claim=False)
    await new.close()


@pytest.mark.real
async def test_postgresql_upgraded_beyond_our_release_is_refused(postgres_url: str, tmp_path: Path) -> None:
    await fill(store_in(tmp_path, url=postgres_url))
    schema = next_schema(tmp_path, NEXT.replace('"always"', '"auto"'))
    newer = store_in(tmp_path, schema, postgres_url)
    await newer.open()
    await newer.close()
    with pytest.raises(SchemaMismatch, match="newer Carrel"):
        await store_in(tmp_path, url=postgres_url).open()


@pytest.mark.real
async def test_hubs_that_start_together_upgrade_once(postgres_url: str, tmp_path: Path) -> None:
    old = [store_in(tmp_path, url=postgres_url) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in old))
    await fill(old[0])
    schema = next_schema(tmp_path, NEXT.replace('"always"', '"auto"'))
    new = [store_in(tmp_path, schema, postgres_url) for _ in range(3)]
    await asyncio.gather(*(store.open() for store in new))
    async with new[0].read() as tx:
        ada = await tx.users.get("ada")
        assert ada is not None
        assert await tx.servers.get(ada.id, "") is not None
    for store in (*old, *new):
        await store.close()
