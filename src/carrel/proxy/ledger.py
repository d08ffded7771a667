"""What a hub left in the data plane's table, and how it notices that something else is there now.

The hub numbers its changes, so that the data plane notices one that it did not get; the data plane counts
every change of its table, so that the hub notices one that it did not make.
"""

from __future__ import annotations

from collections.abc import Mapping

from carrel.domain.routes import Route


class Ledger:
    """Of one run of a hub, whose name is `writer`. Changes are made one after the other."""

    def __init__(self, writer: str) -> None:
        self._writer = writer
        #: Of the last change that was sent.
        self._number = 0
        #: The data plane's count behind the last change; None when it is not known what the table holds.
        self._table: int | None = None
        self._routes: dict[str, Route] = {}
        #: A snapshot was set: from then on changes are numbered.
        self._begun = False

    def next(self) -> str:
        """Return what the next change is sent with."""
        self._number += 1
        return f"{self._writer} {self._number}" if self._begun else ""

    def begin(self) -> str:
        """Return what the next snapshot is sent with."""
        self._begun = True
        return self.next()

    def lost(self) -> None:
        """Note that the last change may have been made or not."""
        self._table = None

    def was_put(self, routes: Mapping[str, Route], count: int | None) -> None:
        """Note that the table holds exactly these; `count` is the data plane's, None when it tells none."""
        self._routes, self._table = dict(routes), count

    def was_added(self, route: Route, count: int | None) -> None:
        """Note that a route was set."""
        self._routes[route.spec] = route
        self._advance(1, count)

    def was_deleted(self, spec: str, count: int | None, *, existed: bool) -> None:
        """Note that a route was removed, or was not there."""
        self._routes.pop(spec, None)
        self._advance(int(existed), count)

    def _advance(self, changes: int, count: int | None) -> None:
        """Forget what the table holds when there were other changes besides."""
        if self._table is not None:
            self._table = count if count == self._table + changes else None

    def holds(self, routes: Mapping[str, Route]) -> bool:
        """Tell whether these are the routes that were left."""
        return self._table is not None and self._routes == routes

    def agrees(self, count: int | None) -> bool:
        """Tell whether the table of a data plane that counts so far is the one that was left.

        Before the first snapshot there is none to compare with, nor when the data plane does not count.
        """
        return not self._begun or count is None or count == self._table
