"""`db`, the database session of plug-ins: opened with the first use that needs one, and fenced.

Each request to a plug-in's handler has a session of its own, which ends with the request; what runs outside
of them, as an authenticator may, shares one. A thread that is not the hub's has its own. Nothing holds a
transaction for longer than the plug-in's code runs without a pause, unless it has written and not committed:
with SQLite, who writes keeps the hub itself from writing.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from carrel.compat.orm import PluginSession


class _Scope:
    """Where one request, or one thread, keeps its session."""

    session: PluginSession | None = None


class PluginDatabase:
    """A session of SQLAlchemy's ORM, or what becomes one; `url` is the hub's database.

    What would change nothing when nothing was done before (`commit`, `rollback` and the like) opens none.
    """

    def __init__(self, url: str, directory: Path) -> None:
        self._url = url
        self._directory = directory
        self._open: Any = None
        self._opening = threading.Lock()
        self._request: ContextVar[_Scope | None] = ContextVar("carrel.request", default=None)
        self._common = _Scope()
        self._of_thread = threading.local()
        self._home = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.session(), name)

    def session(self) -> Session:
        """Return the session of where this is called; raises NoDatabase where there can be none."""
        scope = self._scope()
        if scope.session is None:
            scope.session = self._make()
        elif scope is self._common and not scope.session.is_active:
            # Whoever failed in it has gone; nobody else has a part in that.
            scope.session.rollback()
        return scope.session

    @contextmanager
    def request(self) -> Iterator[None]:
        """Give a session of its own to what runs in the block; what it did not commit is undone."""
        scope = _Scope()
        token = self._request.set(scope)
        try:
            yield
        finally:
            self._request.reset(token)
            if scope.session is not None:
                scope.session.close()

    def close(self) -> None:
        """End what this is called within: plug-ins may, and the next use begins anew."""
        self._if_open("close")

    def commit(self) -> None:
        """Write down what was changed."""
        self._if_open("commit")

    def rollback(self) -> None:
        """Undo what was changed and not committed."""
        self._if_open("rollback")

    def flush(self, objects: Any = None) -> None:
        """Tell the database what was changed."""
        self._if_open("flush")

    def expire_all(self) -> None:
        """Forget what was read."""
        self._if_open("expire_all")

    @property
    def dirty(self) -> Any:
        """What was changed and not told to the database."""
        session = self._scope().session
        return () if session is None else session.dirty

    def dispose(self) -> None:
        """Close every connection; the hub calls it when it stops."""
        for scope in (self._common, self._scope()):
            if scope.session is not None:
                scope.session.close()
        if self._open is not None:
            self._open.kw["bind"].dispose()

    def _if_open(self, name: str) -> None:
        session = self._scope().session
        if session is not None:
            getattr(session, name)()

    def _scope(self) -> _Scope:
        if threading.get_ident() != self._home:
            with suppress(AttributeError):
                found: _Scope = self._of_thread.scope
                return found
            scope = self._of_thread.scope = _Scope()
            return scope
        return self._request.get() or self._common

    def _make(self) -> PluginSession:
        with self._opening:
            if self._open is None:
                from carrel.compat.orm import open_sessions

                self._open = open_sessions(self._url, self._directory, self._begun)
        made: PluginSession = self._open()
        return made

    def _begun(self, session: PluginSession) -> None:
        """End a transaction that only reads, once the plug-in's code pauses."""
        if threading.get_ident() == self._home:
            with suppress(RuntimeError):  # before there is a loop nothing waits for the plug-in
                asyncio.get_running_loop().call_soon(session.settle)
