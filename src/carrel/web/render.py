"""Templates become pages here: the Jinja environment, and the variables that every template has."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cached_property, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    PackageLoader,
    PrefixLoader,
    TemplateNotFound,
    TemplateSyntaxError,
    Undefined,
)
from markupsafe import Markup
from starlette.responses import Response

from carrel import JUPYTERHUB_VERSION, __version__
from carrel.config.addresses import hosts_of
from carrel.config.schema import Settings
from carrel.config.templates import OWN_OPTIONS
from carrel.core.auth_state import load_auth_state
from carrel.core.caller import Caller
from carrel.core.servers import find_servers
from carrel.core.services import list_accessible
from carrel.http.csrf import set_xsrf, xsrf_token
from carrel.http.deployers_html import deployers_markup
from carrel.http.request import Connection, DeployersHtml, RequestFacts, facts_of, hub_of, nonce_of
from carrel.web.menu import may_administrate, menu, service_menu
from carrel.web.overrides import (
    DirectoryLoader,
    Flaw,
    WithNonces,
    find_flaw,
    handlers_below,
)
from carrel.web.people import GroupName, Person
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
#: A visit, such as the way back from where people sign in, has no form that could be changed.
_VISITS_HINTS = {**_HINTS, 400: _HINTS[405]}


#: Files of JupyterHub's that pages copied from it link to, and what stands for them here.
_ALIASES = {"css/style.min.css": "jupyterhub.css", "favicon.ico": "favicon.svg"}
_log = logging.getLogger("carrel.web")


class Renderer:
    """Renders pages; the deployer's templates come before the hub's own of the same name."""

    def __init__(self, settings: Settings, undefined: type[Undefined] = Undefined) -> None:
        self._settings = settings
        self._undefined = undefined
        self._directories = [str(settings.resolve(path)) for path in settings.template_paths]
        self._told: set[Flaw] = set()

    @cached_property
    def static(self) -> Mapping[str, StaticFile]:
        """The hub's own files, read on first use."""
        return read_static_files()

    @cached_property
    def environment(self) -> Environment:
        """The Jinja environment, made on first use."""
        if not self._directories:
            return self._plain
        own = PackageLoader("carrel.web", "templates")
        theirs = DirectoryLoader(self._directories)
        return self._made_of(WithNonces(ChoiceLoader([theirs, PrefixLoader({"templates": own}), own])))

    @cached_property
    def _plain(self) -> Environment:
        """The environment of the hub's own templates alone."""
        own = PackageLoader("carrel.web", "templates")
        return self._made_of(ChoiceLoader([PrefixLoader({"templates": own}), own]))

    @cached_property
    def _deployers(self) -> DeployersHtml | None:
        """What pages may do for the deployer's templates; None without any."""
        if not self._directories:
            return None
        return DeployersHtml(handlers_below(self._directories), templates=True)

    def _made_of(self, loader: BaseLoader) -> Environment:
        options = {"trim_blocks": True, "lstrip_blocks": True, **self._settings.jinja_environment_options}
        for name in OWN_OPTIONS:
            options.pop(name, None)
        return Environment(loader=loader, autoescape=True, undefined=self._undefined, **options)

    async def prepare(self, connection: Connection) -> None:
        """Look up the services that the visitor may open, and what deployers' templates may ask of them."""
        facts = facts_of(connection.scope)
        if facts.caller is not None:
            hub = hub_of(connection)
            facts.services = await list_accessible(hub, facts.caller)
            if self._directories and not facts.caller.service:
                facts.servers = await find_servers(hub, facts.caller.user)
                if hub.authenticator.enable_auth_state:
                    facts.auth_state = await load_auth_state(hub, facts.caller.user)

    def page(self, connection: Connection, template: str, *, status: int = 200, **values: Any) -> Response:
        """Return a page made of `template` with the hub's variables and `values`.

        A template of the deployer's that is wrong is named in the log, and the hub's own takes its place.
        """
        names = self.variables(connection, template, **values)
        response = Response(self._render(template, names), status_code=status, media_type="text/html")
        set_xsrf(response, connection, names["xsrf"])
        return response

    def variables(self, connection: Connection, template: str, **values: Any) -> dict[str, Any]:
        """Return the hub's variables for `template`, and `values`."""
        facts = facts_of(connection.scope)
        facts.deployers = facts.deployers or self._deployers
        names = self._namespace(connection, xsrf_token(connection)) | values
        return names | self._announcements(facts, names, template)

    def _render(self, template: str, names: dict[str, Any]) -> str:
        try:
            return self.environment.get_template(template).render(names)
        except Exception as error:
            flaw = find_flaw(error, self._directories)
            if flaw is None:
                raise
        self._complain(flaw)
        names["flaw"] = flaw
        own = self._plain
        return (own.get_template(template) if _has(own, template) else own.get_template("error.html")).render(
            names
        )

    def _complain(self, flaw: Flaw) -> None:
        level = logging.DEBUG if flaw in self._told else logging.ERROR
        _log.log(level, "The hub's own page is shown, for a template is wrong: %s", flaw)
        self._told.add(flaw)

    def error(self, connection: Connection, status: int, message: str, *, retry: bool = False) -> Response:
        """Return the page for an error: `404.html` and the like where there is one, else `error.html`."""
        values = {
            "status_code": status,
            "status_message": _phrase(status),
            "message": message,
            "message_html": "",
            "extra_error_html": "",
            "exception": None,
            "hint": "" if retry else _hint(connection, status),
            "retry_url": facts_of(connection.scope).url if retry else "",
        }
        template = f"{status}.html"
        return self.page(
            connection,
            template if _has(self.environment, template) else "error.html",
            status=status,
            **values,
        )

    def person(self, caller: Caller, facts: RequestFacts) -> Person:
        """Return the signed-in user for templates."""
        groups = tuple(map(GroupName, caller.groups))
        user, base_url = caller.user, self._settings.base_url
        host = hosts_of(self._settings).of_user(user.name)
        return Person(user.name, user.admin, base_url, groups, facts.servers, host)

    def static_url(self, path: str, include_version: bool = True) -> str:
        """Return the address of one of the hub's own files."""
        path = _ALIASES.get(path, path)
        file = self.static.get(path) if include_version else None
        version = f"?v={file.digest}" if file else ""
        return f"{self._settings.base_url}hub/static/{path}{version}"

    def _namespace(self, connection: Connection, token: str) -> dict[str, Any]:
        """Return the variables of every page, under the names that JupyterHub's templates use."""
        facts = facts_of(connection.scope)
        hub, caller = hub_of(connection), facts.caller
        authenticator = hub.authenticator
        hub_url = f"{self._settings.base_url}hub/"
        user = self.person(caller, facts) if caller and not caller.service else None
        return {
            "base_url": hub_url,
            "prefix": self._settings.base_url,
            "user": user,
            "auth_state": facts.auth_state,
            "login_url": authenticator.login_url(hub_url),
            "logout_url": authenticator.logout_url(hub_url),
            "login_service": authenticator.login_service,
            "static_url": self.static_url,
            "logo_url": f"{hub_url}logo",
            "version_hash": __version__,
            "authenticator": authenticator,
            "xsrf": token,
            "xsrf_token": token,
            "csp_nonce": _Nonce(facts),
            "menu": menu(hub, caller, facts.path) if caller and user else [],
            "services": service_menu(hub, facts.services),
            "parsed_scopes": caller.scopes.held if caller else frozenset(),
            "expanded_scopes": caller.scopes.ordered if caller and self._directories else (),
            "admin_access": caller is not None and may_administrate(caller),
            "overridden": bool(self._directories),
            "request_id": facts.id,
            "when": partial(when, now=hub.clock.now()),
            "duration": duration,
            "jupyterhub_version": JUPYTERHUB_VERSION,
            **self._extra(user),
        }

    def _extra(self, user: Person | None) -> dict[str, Any]:
        """Return the deployer's variables; a callable is asked, with the user, and left out when it fails."""
        found: dict[str, Any] = {}
        for name, value in self._settings.template_vars.items():
            try:
                found[name] = value(user) if callable(value) else value
            except Exception:
                _log.exception("c.JupyterHub.template_vars: %s could not be asked and is left out", name)
        return found

    def _announcements(
        self, facts: RequestFacts, names: Mapping[str, Any], template: str
    ) -> dict[str, Markup | None]:
        """Return the deployer's announcements: the page's own or the general one. They may hold HTML."""
        text = names.get(f"announcement_{Path(template).stem}") or names.get("announcement")
        shown: dict[str, Markup | None] = {
            "announcement": deployers_markup(facts, str(text)) if text else None
        }
        if self._directories:
            # Templates copied from JupyterHub choose by themselves.
            for name, other in names.items():
                if name.startswith("announcement_") and isinstance(other, str):
                    shown[name] = deployers_markup(facts, other)
        return shown


class _Nonce:
    """The nonce for a template's inline scripts; the policy allows it only on pages that use it."""

    def __init__(self, facts: RequestFacts) -> None:
        self._facts = facts

    def __str__(self) -> str:
        return nonce_of(self._facts)

    def __html__(self) -> str:
        return str(self)


def _hint(connection: Connection, status: int) -> str:
    hints = _VISITS_HINTS if connection.scope.get("method") == "GET" else _HINTS
    return hints.get(status, "")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _has(environment: Environment, template: str) -> bool:
    """Tell whether there is a template by that name, be it right or wrong."""
    try:
        environment.get_template(template)
    except TemplateNotFound as missing:
        return missing.name != template
    except TemplateSyntaxError:
        return True
    return True
