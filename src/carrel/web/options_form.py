"""What stands between a visit and a start: the deployer's own form, or that of profiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from starlette.requests import Request

from carrel.core.context import HubContext
from carrel.core.drivers import options_form, options_from_form, options_from_query
from carrel.domain.errors import CarrelError
from carrel.domain.users import User
from carrel.http.deployers_html import deployers_markup
from carrel.http.request import facts_of
from carrel.web.filling import fill_in

#: Fields of a form or a link, each a list as browsers send it.
Fields = Mapping[str, list[Any]]


class OptionsForm(Protocol):
    """The fields of one start."""

    @property
    def asks(self) -> bool:
        """There is something to choose, so that nothing starts before it was seen."""

    async def of_nothing(self) -> Mapping[str, Any] | None:
        """Return the options of a start that nobody is asked about; None means those of the last time.

        Raises Invalid when nothing can be chosen.
        """

    async def of_link(self, fields: Fields) -> Mapping[str, Any]:
        """Return the options that a link means; raise Invalid."""

    async def of_form(self, fields: Fields) -> Mapping[str, Any]:
        """Return the options that a form that was filled in means; raise Invalid."""

    def html(self, fields: Fields | None, *, complete: bool, problem: CarrelError | None) -> str:
        """Return the fields as HTML, with what was filled in and what is wrong with it.

        A link is not `complete`: what it does not name is as it was.
        """

    def told(self, problem: CarrelError | None) -> str:
        """Return what is wrong, for people; empty when nothing is."""


class DeployersForm:
    """The `options_form` of the spawner, in the deployer's words."""

    def __init__(self, hub: HubContext, owner: User, server_name: str, html: str) -> None:
        self._hub, self._owner, self._name, self._html = hub, owner, server_name, html

    @property
    def asks(self) -> bool:
        """There is a form."""
        return bool(self._html)

    async def of_nothing(self) -> None:
        """Say nothing: what was chosen the last time goes on."""
        return

    async def of_link(self, fields: Fields) -> Mapping[str, Any]:
        """Return what the deployer's function makes of a link."""
        return await options_from_query(self._hub, self._owner, fields, self._name)

    async def of_form(self, fields: Fields) -> Mapping[str, Any]:
        """Return what the deployer's function makes of a form."""
        return await options_from_form(self._hub, self._owner, fields, self._name)

    def html(self, fields: Fields | None, *, complete: bool, problem: CarrelError | None) -> str:
        """Return the form with what was filled in; what is wrong stands above it."""
        return self._html if fields is None else fill_in(self._html, fields, complete=complete)

    def told(self, problem: CarrelError | None) -> str:
        """Return what the deployer's code said."""
        return str(problem or "")


async def deployers_form(hub: HubContext, request: Request, owner: User, server_name: str) -> DeployersForm:
    """Return the deployer's form, which may be empty; raise Unavailable when it cannot be had."""
    html = deployers_markup(facts_of(request.scope), await options_form(hub, owner, server_name))
    return DeployersForm(hub, owner, server_name, html)
