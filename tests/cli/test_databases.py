"""The commands that are about the database as a whole, from the command line to the file."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from carrel.cli.main import main
from carrel.lib.clock import SystemClock
from carrel.lib.sealing import Sealer
from carrel.storage.jupyterhub.source import open_source
from carrel.storage.jupyterhub.target import write_database
from carrel.storage.sql.store import SqlStore
from tests.storage.test_jupyterhub import DATA

Output = pytest.CaptureFixture[str]
KEY = b"k" * 32
SPAWNER = "--JupyterHub.spawner_class=simple"


@pytest.fixture(autouse=True)
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with JupyterHub's database in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", KEY.hex())
    users = [replace(DATA.users[0], encrypted_auth_state=Sealer([KEY]).seal({"a": 1})), *DATA.users[1:]]
    write_database("sqlite:///jupyterhub.sqlite", tmp_path, replace(DATA, users=users))
    return tmp_path / "jupyterhub.sqlite"


def names(file: str = "carrel.sqlite") -> list[str]:
    with closing(sqlite3.connect(file)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM users ORDER BY id")]


def add_user(name: str, *, server: bool = False) -> None:
    async def add() -> None:
        store = SqlStore("sqlite:///carrel.sqlite", directory=Path.cwd(), clock=SystemClock())
        await store.open()
        async with store.write() as tx:
            user = await tx.users.create(name, admin=False, now=1.0)
            if server:
                await tx.servers.create(user.id, "", now=1.0)
        await store.close()

    asyncio.run(add())


def test_an_import_and_the_way_back(old: Path, capsys: Output) -> None:
    before = hashlib.sha256(old.read_bytes()).hexdigest()
    assert main(["import-jupyterhub", SPAWNER]) == 0
    said = capsys.readouterr().out
    assert "a database of JupyterHub 6.1 (schema f460b0348206)" in said
    assert "2 users (1 admin; 1 with auth_state)" in said
    # Its process, of pid 12, is not there.
    assert "server ada: does not run any more" in said
    assert "there is no cookie secret at" in said
    assert names() == ["ada", "bea ö"]
    assert hashlib.sha256(old.read_bytes()).hexdigest() == before
    assert main(["export-jupyterhub", "sqlite:///back.sqlite"]) == 0
    with open_source("back.sqlite", Path.cwd()) as source:
        data = source.read()
    assert [(row.id, row.name) for row in data.users] == [(3, "ada"), (7, "bea ö")]
    assert main(["export-jupyterhub", "sqlite:///back.sqlite"]) == 6
    assert "the file exists already" in capsys.readouterr().err


def test_the_cookie_secret_that_is_there_keeps_everybody_signed_in(capsys: Output) -> None:
    secret = Path("jupyterhub_cookie_secret")
    secret.write_text("ab" * 32)
    secret.chmod(0o600)
    assert main(["import-jupyterhub", "--dry-run"]) == 0
    assert "everybody's log-in: the cookie secret is the same" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(capsys: Output) -> None:
    before = set(Path().iterdir())
    assert main(["import-jupyterhub", "--dry-run"]) == 0
    assert set(Path().iterdir()) == before
    assert "Nothing was written (--dry-run)." in capsys.readouterr().out


def test_wrong_keys_are_told_before_anything_is_written(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", (b"x" * 32).hex())
    assert main(["import-jupyterhub"]) == 6
    assert "no key opens the auth_state of 1 user (ada): set JUPYTERHUB_CRYPT_KEY" in capsys.readouterr().err
    assert not Path("carrel.sqlite").exists()
    assert main(["import-jupyterhub", "--dry-run"]) == 0
    assert "Cannot be done:" in capsys.readouterr().out
    assert main(["import-jupyterhub", "--no-auth-state"]) == 0
    assert names() == ["ada", "bea ö"]


def test_what_is_in_use_is_not_imported_over(capsys: Output) -> None:
    add_user("zoe", server=True)
    assert main(["import-jupyterhub"]) == 6
    said = capsys.readouterr().err
    assert "the database is in use (it holds 1 server); --replace removes that first" in said
    assert names() == ["zoe"]
    assert main(["import-jupyterhub", "--replace"]) == 0
    assert names() == ["ada", "bea ö"]
    [copy] = Path().glob("carrel.sqlite.before-import-*")
    assert names(str(copy)) == ["zoe"]


def test_what_a_first_start_made_of_the_configuration_makes_room(capsys: Output) -> None:
    add_user("admin")
    assert main(["import-jupyterhub"]) == 0
    assert names() == ["ada", "bea ö"]
    assert main(["import-jupyterhub"]) == 6
    assert "sqlite:///jupyterhub.sqlite was imported on" in capsys.readouterr().err
    assert main(["import-jupyterhub", "--replace"]) == 0


def test_a_hub_at_work_is_not_disturbed(capsys: Output) -> None:
    store = SqlStore("sqlite:///carrel.sqlite", directory=Path.cwd(), clock=SystemClock())
    asyncio.run(store.open())
    try:
        assert main(["import-jupyterhub"]) == 6
        assert f"Another hub (pid {os.getpid()}) uses this database" in capsys.readouterr().err
    finally:
        asyncio.run(store.close())


def test_the_database_itself_is_no_target(capsys: Output) -> None:
    assert main(["import-jupyterhub", "--db", "sqlite:///jupyterhub.sqlite"]) == 6
    assert "set c.JupyterHub.db_url to a database for Carrel" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["import-jupyterhub", "a", "b"], 2, "takes one URL"),
        (["import-jupyterhub", "none.sqlite"], 6, "there is no file"),
        (["export-jupyterhub"], 2, "takes one URL"),
        (["backup", "a", "b"], 2, "one file"),
        (["backup"], 6, "There is no database"),
        (["rollback"], 1, "there is no backup"),
        (["rollback", "none", "--yes"], 6, "There is no file"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_line(
    words: list[str], code: int, said: str, capsys: Output
) -> None:
    assert main(words) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["import-jupyterhub", "export-jupyterhub", "backup", "rollback", "upgrade-db"]
)
def test_each_explains_itself(command: str, capsys: Output) -> None:
    assert main([command, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"usage: carrel {command}")
    main(["--help"])
    assert f"carrel {command}" in capsys.readouterr().out


def test_a_backup_and_the_way_back_to_it(capsys: Output) -> None:
    add_user("zoe")
    assert main(["backup"]) == 0
    copy = Path(capsys.readouterr().out.strip())
    assert main(["backup", "mine"]) == 0
    assert main(["backup", "mine"]) == 1
    assert "exists already" in capsys.readouterr().err
    add_user("yan")
    assert main(["rollback", str(copy), "--yes"]) == 0
    said = capsys.readouterr().out
    assert names() == ["zoe"]
    [aside] = Path().glob("carrel.sqlite.before-rollback-*")
    assert str(aside.absolute()) in said
    assert names(str(aside)) == ["zoe", "yan"]


def test_nobody_is_asked_where_nobody_is(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    add_user("zoe")
    assert main(["backup", "mine"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["rollback", "mine"]) == 1
    assert "nobody is at the terminal" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_one_chooses_and_says_yes(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    add_user("zoe")
    assert main(["backup"]) == 0
    add_user("yan")
    for typed, code, left in (("\n", 0, 2), ("9\n", 1, 2), ("1\nn\n", 0, 2), ("1\ny\n", 0, 1)):
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        assert main(["rollback"]) == code
        assert len(names()) == left
    assert "  1  20" in capsys.readouterr().out


def test_upgrade_db_makes_what_is_missing(capsys: Output) -> None:
    assert main(["upgrade-db"]) == 0
    assert "has the schema of this release" in capsys.readouterr().out
    assert names() == []


@pytest.mark.real
def test_into_postgresql(postgres_url: str, capsys: Output) -> None:
    assert main(["import-jupyterhub", "--db", postgres_url]) == 0
    assert main(["import-jupyterhub", "--db", postgres_url]) == 6
    assert "was imported on" in capsys.readouterr().err
    assert main(["export-jupyterhub", "back.sqlite", "--db", postgres_url]) == 0
    with open_source("back.sqlite", Path.cwd()) as source:
        assert [row.name for row in source.read().users] == ["ada", "bea ö"]
    assert main(["token", "ada", "--db", postgres_url, "--JupyterHub.authenticator_class=dummy"]) == 0
