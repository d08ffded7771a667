"""What a face may ask of the one that has the templates; it is found on the application's state."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from jinja2 import Environment
from starlette.responses import Response

from carrel.http.request import Connection


@runtime_checkable
class Pages(Protocol):
    """Renders HTML pages."""

    @property
    def environment(self) -> Environment:
        """What finds the templates."""

    def variables(self, connection: Connection, template: str, **values: Any) -> dict[str, Any]:
        """Return the hub's variables for `template`, and `values`."""

    async def prepare(self, connection: Connection) -> None:
        """Look up what every page shows to its visitor, who is known by now if anybody is."""

    def page(self, connection: Connection, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page made of `template` (`oauth.html`) with the hub's variables and `values`."""

    def error(self, connection: Connection, status: int, message: str, *, retry: bool = False) -> Response:
        """Return the page for an error; `message` may be empty; `retry` offers the same page again."""


def pages_of(connection: Connection) -> Pages | None:
    """Return the renderer, or None in an application without pages."""
    pages: Pages | None = connection.app.state.pages
    return pages


async def the_pages(connection: Connection) -> Pages:
    """Return the renderer, prepared for a request; raise LookupError in an application without pages."""
    pages = pages_of(connection)
    if pages is None:
        raise LookupError("The application has no pages.")
    await pages.prepare(connection)
    return pages
