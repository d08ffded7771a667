"""The request behind a handler, and the hub's parts that it reaches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any

from starlette.requests import HTTPConnection
from tornado.web import RequestHandler

from carrel.compat.tornado_bridge import Reply
from carrel.core.context import HubContext
from carrel.http.pages import Pages, pages_of
from carrel.http.request import RequestFacts, facts_of, hub_of


class VisitMixin(RequestHandler):
    """What the hub knows of the request; the names begin with an underscore and are the hub's own."""

    @property
    def _reply(self) -> Reply:
        reply = self.request.connection
        assert isinstance(reply, Reply)  # noqa: S101 - the bridge makes no other
        return reply

    @cached_property
    def _visit(self) -> HTTPConnection:
        return HTTPConnection(self._reply.scope)

    @property
    def _facts(self) -> RequestFacts:
        return facts_of(self._reply.scope)

    @property
    def _ctx(self) -> HubContext:
        return hub_of(self._visit)

    @property
    def _pages(self) -> Pages:
        pages = pages_of(self._visit)
        if pages is None:
            raise LookupError("The application has no pages.")
        return pages

    def _before_reply(self, step: Callable[[], Awaitable[Any]]) -> None:
        """Have `step` taken before the browser is answered: for methods that cannot wait themselves."""
        self._reply.first.append(step)
