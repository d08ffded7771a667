"""`db` of plug-ins: tables of their own in the hub's database, and nothing written into the hub's."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, inspect, text

from carrel.compat.database import PluginDatabase
from carrel.compat.orm import Base, HubTable, NoDatabase, User
from carrel.lib.clock import SystemClock
from carrel.storage.sql.store import SqlStore


class Note(Base):
    """A table of a plug-in's own, as nativeauthenticator has one."""

    __tablename__ = "plugin_notes"
    id = Column(Integer, primary_key=True, autoincrement=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    text = Column(String(80), nullable=False)
    good = Column(Boolean, default=False)


@asynccontextmanager
async def opened(url: str, directory: Path) -> AsyncIterator[tuple[SqlStore, PluginDatabase]]:
    store = SqlStore(url, directory=directory, clock=SystemClock())
    await store.open()
    db = PluginDatabase(url, directory)
    try:
        async with store.write() as tx:
            await tx.users.create("ada", admin=True, now=1_000_000_000.0)
        if "plugin_notes" not in inspect(db.bind).get_table_names():
            Note.__table__.create(db.bind)  # type: ignore[attr-defined]
        yield store, db
    finally:
        db.dispose()
        await store.close()


Database = tuple[SqlStore, PluginDatabase]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.real)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = "sqlite:///hub.sqlite" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    async with opened(url, tmp_path) as found:
        yield found


async def test_users_can_be_looked_at(database: Database) -> None:
    _, db = database
    ada = db.query(User).filter_by(name="ada").first()
    assert (ada.name, ada.admin, ada.last_activity) == ("ada", True, None)
    assert ada.created.isoformat() == "2001-09-09T01:46:40"
    assert User.find(db, "nobody") is None


async def test_what_a_plugin_commits_stays(database: Database) -> None:
    _, db = database
    db.add(Note(text="kept", user_id=1))
    db.commit()
    with db.request():
        note = db.query(Note).one()
        assert (note.text, note.good, note.user_id) == ("kept", False, 1)
        note.good = True
        db.commit()
    with db.request():
        assert db.query(Note).filter_by(good=True).count() == 1
        db.delete(db.query(Note).one())
        db.commit()
    assert db.query(Note).count() == 0


def _row(db: Any) -> Any:
    db.add(User(name="eve", admin=True))
    db.commit()


def _change(db: Any) -> Any:
    db.query(User).filter_by(name="ada").first().admin = False
    db.commit()


WRITES: list[Callable[[Any], Any]] = [
    _row,
    _change,
    lambda db: db.query(User).delete(),
    lambda db: db.query(User).update({"admin": False}),
    lambda db: db.execute(text("UPDATE users SET admin = false")),
    lambda db: db.execute(text("  insert into tokens (id) values (1)")),
    lambda db: db.execute(text('DELETE FROM "roles"')),
    lambda db: db.execute(text("DROP TABLE IF EXISTS sessions")),
    lambda db: User.__table__.drop(db.bind),
]


@pytest.mark.parametrize("write", WRITES)
async def test_the_hubs_tables_are_refused(database: Database, write: Callable[[Any], Any]) -> None:
    store, db = database
    with pytest.raises(HubTable, match="is the hub's own"):
        write(db)
    # And the session is good again for whoever comes next.
    await asyncio.sleep(0)
    assert db.query(Note).count() == 0
    db.rollback()
    async with store.read() as tx:
        ada = await tx.users.get("ada")
        assert ada is not None
        assert ada.admin
        assert await tx.users.get("eve") is None


async def test_what_a_request_does_not_commit_is_undone(database: Database) -> None:
    _, db = database
    with db.request():
        db.add(Note(text="half"))
        db.flush()
    assert db.query(Note).count() == 0


async def test_requests_do_not_see_each_others_halves(database: Database) -> None:
    _, db = database
    began, go = asyncio.Event(), asyncio.Event()

    async def one() -> None:
        with db.request():
            db.add(Note(text="one"))
            began.set()
            await go.wait()
            db.commit()

    async def other() -> None:
        await began.wait()
        with db.request():
            db.add(Note(text="other"))
            db.rollback()
        go.set()

    await asyncio.gather(one(), other())
    assert [note.text for note in db.query(Note)] == ["one"]


async def test_who_only_reads_holds_no_transaction_over_a_pause(database: Database) -> None:
    _, db = database
    session = db.session()
    assert db.query(Note).count() == 0
    assert session.in_transaction()
    await asyncio.sleep(0)
    assert not session.in_transaction()


async def test_what_is_not_committed_outlives_a_pause(database: Database) -> None:
    _, db = database
    db.add(Note(text="waits"))
    assert db.query(Note).count() == 1  # tells the database of it
    await asyncio.sleep(0)
    db.commit()
    assert db.query(Note).count() == 1


async def test_the_hub_writes_while_a_plugin_has_read(database: Database) -> None:
    store, db = database
    with db.request():
        ada = db.query(User).filter_by(name="ada").first()
        assert ada.admin
        async with store.write() as tx:
            user = await tx.users.get("ada")
            assert user is not None
            await tx.users.set_admin(user.id, False)
        # The pause with which the reader's transaction ends: a write that waits for nobody makes none.
        await asyncio.sleep(0)
        # Seen anew, for nothing of what was read is held on to.
        assert not db.query(User).filter_by(name="ada").first().admin


async def test_threads_have_sessions_of_their_own(database: Database) -> None:
    _, db = database
    here, there = db.session(), []

    def work() -> None:
        there.append(db.session())
        db.add(Note(text="from a thread"))
        db.commit()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert there[0] is not here
    assert db.query(Note).count() == 1


async def test_a_plugin_that_writes_in_a_thread_and_the_hub_take_turns(database: Database) -> None:
    store, db = database
    done = threading.Event()

    def work() -> None:
        for number in range(20):
            db.add(Note(text=str(number)))
            db.commit()
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    names = 0
    while not done.is_set():
        async with store.write() as tx:
            await tx.users.create(f"user{names}", admin=False, now=1.0)
        names += 1
        await asyncio.sleep(0)
    thread.join()
    assert db.query(Note).count() == 20
    assert db.query(User).count() == names + 1


async def test_a_database_in_memory_is_none(tmp_path: Path) -> None:
    db = PluginDatabase("sqlite://", tmp_path)
    with pytest.raises(NoDatabase, match="set db_url to a file"):
        db.query(User)


def test_nothing_is_opened_for_what_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from carrel.compat.database import PluginDatabase\n"
        "db = PluginDatabase('sqlite:///absent/x.sqlite', Path())\n"
        "db.commit(); db.rollback(); db.flush(); db.expire_all(); db.close(); db.dispose()\n"
        "print(len(db.dirty), 'sqlalchemy' in sys.modules)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "0 False\n"
