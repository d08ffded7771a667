"""JupyterHub's databases are read as they are, from each kind of database, and never written to."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from carrel.storage.base import StorageError
from carrel.storage.jupyterhub import tables
from carrel.storage.jupyterhub.records import (
    ClientRow,
    GroupRow,
    JupyterHubData,
    MemberRow,
    RoleRow,
    ServerRow,
    ShareRow,
    SpawnerRow,
    TokenRow,
    UserRoleRow,
    UserRow,
)
from carrel.storage.jupyterhub.source import is_same, open_source
from carrel.storage.jupyterhub.target import write_database
from tests.rigs.mariadb import PROGRAM, MariaDBServer
from tests.rigs.needs import need

NOON = 1_800_000_000.0
DATA = JupyterHubData(
    revision=tables.REVISION,
    users=[
        UserRow(id=3, name="ada", cookie_id="c1", admin=True, created=NOON, encrypted_auth_state="gAAA="),
        UserRow(id=7, name="bea ö", cookie_id="c2", created=NOON, user_info={"color": "red"}),
    ],
    groups=[GroupRow(id=2, name="class", properties={"floor": 3})],
    user_group_map=[MemberRow(user_id=7, group_id=2)],
    roles=[RoleRow(id=1, name="user", description="", scopes=["self"], managed_by_auth=True)],
    user_role_map=[UserRoleRow(user_id=3, role_id=1, managed_by_auth=True)],
    group_role_map=[],
    service_role_map=[],
    servers=[ServerRow(id=1, ip="127.0.0.1", port=4000, base_url="/user/ada/")],
    oauth_clients=[ClientRow(id=1, identifier="jupyterhub", description="", secret="", redirect_uri="")],
    spawners=[
        SpawnerRow(
            id=5, user_id=3, server_id=1, state={"pid": 12}, started=NOON, user_options={"a": [1, None]}
        )
    ],
    services=[],
    api_tokens=[TokenRow(id=9, hashed="sha512:1:ab:cd", prefix="abcd", user_id=3, scopes=["inherit"])],
    shares=[ShareRow(id=1, spawner_id=5, owner_id=3, group_id=2, created_at=NOON, scopes=["x"])],
    share_codes=[],
)


@pytest.fixture(scope="module")
def mariadb_server() -> Iterator[MariaDBServer]:
    need(PROGRAM.exists(), "MariaDB's server")
    server = MariaDBServer()
    try:
        server.start()
        yield server
    finally:
        server.stop()


def digest_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def there_and_back(url: str, directory: Path) -> None:
    write_database(url, directory, DATA)
    with open_source(url, directory) as source:
        found = source.read()
    assert found == DATA
    with pytest.raises(StorageError, match=r"exists already|is not empty"):
        write_database(url, directory, DATA)


def test_a_file(tmp_path: Path) -> None:
    there_and_back("sqlite:///jupyterhub.sqlite", tmp_path)
    assert (tmp_path / "jupyterhub.sqlite").stat().st_mode & 0o777 == 0o600


@pytest.mark.real
def test_postgresql(postgres_url: str, tmp_path: Path) -> None:
    there_and_back(postgres_url, tmp_path)


@pytest.mark.real
@pytest.mark.timeout(120)
def test_mysql(mariadb_server: MariaDBServer, tmp_path: Path) -> None:
    url = mariadb_server.create_database()
    there_and_back(url, tmp_path)
    there_and_back(mariadb_server.create_database().replace("+pymysql", ""), tmp_path)
    wrong = url.replace("secret", "guess")
    with pytest.raises(StorageError, match="cannot be opened") as caught, open_source(wrong, tmp_path):
        pass
    assert "guess" not in str(caught.value)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_reading_leaves_a_file_and_its_directory_alone(tmp_path: Path, mode: str) -> None:
    file = tmp_path / "jupyterhub.sqlite"
    write_database(str(file), tmp_path, DATA)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute(f"PRAGMA journal_mode={mode}")
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("UPDATE users SET name = 'adele' WHERE id = 3")
        before = {path: digest_of(path) for path in tmp_path.iterdir()}
        tmp_path.chmod(0o500)
        try:
            with open_source(f"sqlite:///{file}", tmp_path) as source:
                names = [row.name for row in source.read().users]
        finally:
            tmp_path.chmod(0o700)
        # What stands in the log alone has been read, too.
        assert names == ["adele", "bea ö"]
        assert {path: digest_of(path) for path in tmp_path.iterdir()} == before


def change(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (["DROP TABLE api_tokens"], "is no JupyterHub database"),
        (["UPDATE alembic_version SET version_num = 'ffff'"], "its schema is ffff, which is none of those"),
        (["DROP TABLE alembic_version"], "its schema is not named"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, statements: list[str], words: str) -> None:
    file = tmp_path / "jupyterhub.sqlite"
    write_database(str(file), tmp_path, DATA)
    change(file, *statements)
    with pytest.raises(StorageError, match=words), open_source(str(file), tmp_path) as source:
        source.read()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///none.sqlite", "there is no file"),
        ("oracle://u:secret@h/x", "is no database that JupyterHub's data are read from"),
        ("nonsense://u:secret@", "cannot be read|is no database"),
        ("://", "cannot be read"),
    ],
)
def test_urls_that_mean_nothing_are_told_without_passwords(tmp_path: Path, url: str, words: str) -> None:
    with pytest.raises(StorageError, match=words) as caught, open_source(url, tmp_path):
        pass
    assert "secret" not in str(caught.value)


def test_columns_that_an_old_release_lacks_and_tables_that_nobody_knows(tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub.sqlite"
    write_database(str(file), tmp_path, replace(DATA, shares=[]))
    change(
        file,
        "ALTER TABLE spawners DROP COLUMN display_name",
        "DROP TABLE share_codes",
        "CREATE TABLE users_info (id INTEGER)",
        "INSERT INTO users_info VALUES (1)",
        "CREATE TABLE empty (id INTEGER)",
    )
    with open_source(str(file), tmp_path) as source:
        found = source.read()
    assert found.spawners == DATA.spawners
    assert found.leftovers == {"users_info": 1}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sqlite:///a.sqlite", "a.sqlite", True),
        ("sqlite:///a.sqlite", "sqlite:///b.sqlite", False),
        ("sqlite:///a", "postgresql://h/a", False),
        ("postgresql://u:1@h/a", "postgresql+psycopg2://h/a", True),
        ("postgresql://h/a", "postgresql://h/b", False),
    ],
)
def test_one_database_by_two_names(tmp_path: Path, one: str, other: str, same: bool) -> None:
    assert is_same(one, other, tmp_path) is same


def test_a_target_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    broken: Any = replace(DATA, spawners=[replace(DATA.spawners[0], user_id=99), *DATA.spawners])
    with pytest.raises(StorageError, match="cannot be written"):
        write_database("sqlite:///new.sqlite", tmp_path, broken)
    assert not list(tmp_path.iterdir())
