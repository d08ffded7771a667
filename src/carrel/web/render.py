"""Templates become pages here: the Jinja environment, and the variables that every template has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    PrefixLoader,
    TemplateNotFound,
    Undefined,
)
from markupsafe import Markup
from starlette.responses import Response

from carrel import JUPYTERHUB_VERSION
from carrel.config.schema import Settings
from carrel.core.caller import Caller
from carrel.core.services import list_accessible
from carrel.domain.names import server_prefix
from carrel.http.csrf import set_xsrf, xsrf_token
from carrel.http.request import Connection, RequestFacts, facts_of, hub_of, nonce_of
from carrel.web.menu import menu, service_menu
from carrel.web.static_files import StaticFile, read_static_files
from carrel.web.times import duration, when

#: What to do next, where the message does not say it.
_HINTS = {
    400: "Go back, change what it says there, and send it again.",
    403: "Ask whoever runs this hub for the right to do it, or sign in as somebody who has it.",
    405: "Nothing has been done. Go back and begin anew.",
    409: "Somebody else may have been quicker. Look at how it is now.",
    500: "If it happens again, tell whoever runs this hub the number below.",
}


@dataclass(frozen=True, slots=True)
class Person:
    """The signed-in user, as templates know them."""

    name: str
    admin: bool
    url: str
    """The prefix of their default server."""


class Renderer:
    """Renders pages; the deployer's templates come before the hub's own of the same name."""

    def __init__(self, settings: Settings, undefined: type[Undefined] = Undefined) -> None:
        self._settings = settings
        self._undefined = undefined

    @cached_property
    def static(self) -> Mapping[str, StaticFile]:
        """The hub's own files, read on first use."""
        return read_static_files()

    @cached_property
    def environment(self) -> Environment:
        """The Jinja environment, made on first use."""
        own: BaseLoader = PackageLoader("carrel.web", "templates")
        paths = [str(self._settings.directory / path) for path in self._settings.template_paths]
        loaders: list[BaseLoader] = [FileSystemLoader(paths), PrefixLoader({"templates": own}), own]
        return Environment(
            loader=ChoiceLoader(loaders),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=self._undefined,
        )

    async def prepare(self, connection: Connection) -> None:
        """Look up the services that the visitor may open."""
        facts = facts_of(connection.scope)
        if facts.caller is not None:
            facts.services = await list_accessible(hub_of(connection), facts.caller)

    def page(self, connection: Connection, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page made of `template` with the hub's variables and `values`."""
        names = self.variables(connection, template, **values)
        html = self.environment.get_template(template).render(names)
        response = Response(html, status_code=status, media_type="text/html")
        set_xsrf(response, connection, names["xsrf"])
        return response

    def variables(self, connection: Connection, template: str, **values: Any) -> dict[str, Any]:
        """Return the hub's variables for `template`, and `values`."""
        names = self._namespace(connection, xsrf_token(connection)) | values
        names["announcement"] = self._announcement(names, template)
        return names

    def error(self, connection: Connection, status: int, message: str, *, retry: bool = False) -> Response:
        """Return the page for an error: `404.html` and the like where there is one, else `error.html`."""
        values = {
            "status_code": status,
            "status_message": _phrase(status),
            "message": message,
            "hint": "" if retry else _HINTS.get(status, ""),
            "retry_url": facts_of(connection.scope).url if retry else "",
        }
        try:
            return self.page(connection, f"{status}.html", status=status, **values)
        except TemplateNotFound:
            return self.page(connection, "error.html", status=status, **values)

    def person(self, caller: Caller) -> Person:
        """Return the signed-in user for templates."""
        name = caller.user.name
        return Person(name, caller.user.admin, server_prefix(self._settings.base_url, name))

    def static_url(self, path: str) -> str:
        """Return the address of one of the hub's own files."""
        file = self.static.get(path)
        version = f"?v={file.digest}" if file else ""
        return f"{self._settings.base_url}hub/static/{path}{version}"

    def _namespace(self, connection: Connection, token: str) -> dict[str, Any]:
        """Return the variables of every page, under the names that JupyterHub's templates use."""
        facts = facts_of(connection.scope)
        hub, caller = hub_of(connection), facts.caller
        authenticator = hub.authenticator
        hub_url = f"{self._settings.base_url}hub/"
        user = self.person(caller) if caller and not caller.service else None
        return {
            "base_url": hub_url,
            "prefix": self._settings.base_url,
            "user": user,
            "login_url": authenticator.login_url(hub_url),
            "logout_url": authenticator.logout_url(hub_url),
            "login_service": authenticator.login_service,
            "static_url": self.static_url,
            "logo_url": f"{hub_url}logo",
            "xsrf": token,
            "csp_nonce": _Nonce(facts),
            "menu": menu(hub, caller, facts.path) if caller and user else [],
            "services": service_menu(hub, facts.services),
            "parsed_scopes": caller.scopes.held if caller else frozenset(),
            "request_id": facts.id,
            "when": partial(when, now=hub.clock.now()),
            "duration": duration,
            "jupyterhub_version": JUPYTERHUB_VERSION,
            **self._extra(user),
        }

    def _extra(self, user: Person | None) -> dict[str, Any]:
        """Return the deployer's variables; a callable is asked, with the user."""
        return {
            name: value(user) if callable(value) else value
            for name, value in self._settings.template_vars.items()
        }

    def _announcement(self, names: Mapping[str, Any], template: str) -> Markup | None:
        """Return the deployer's announcement for a page: its own, or the general one. It may hold HTML."""
        text = names.get(f"announcement_{Path(template).stem}") or names.get("announcement")
        return Markup(text) if text else None  # noqa: S704 - the deployer's own words


class _Nonce:
    """The nonce for a template's inline scripts; the policy allows it only on pages that use it."""

    def __init__(self, facts: RequestFacts) -> None:
        self._facts = facts

    def __str__(self) -> str:
        return nonce_of(self._facts)

    def __html__(self) -> str:
        return str(self)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
