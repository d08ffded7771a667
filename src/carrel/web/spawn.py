"""Starting a server: at once, or after its options form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from markupsafe import Markup
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import ask_to_start, find_server
from carrel.domain.errors import CarrelError, Invalid, NotFound, OverLimit
from carrel.domain.names import full_name
from carrel.domain.profiles import PROFILE
from carrel.domain.servers import Server
from carrel.domain.users import User
from carrel.http.csrf import is_foreign, xsrf_token
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.next_urls import wanted_next
from carrel.http.pages import Pages
from carrel.http.request import facts_of, hub_of
from carrel.lib.urls import first_argument, with_arguments
from carrel.web.forms import read_form
from carrel.web.options_form import Fields, OptionsForm, deployers_form
from carrel.web.profiles import profiles_form
from carrel.web.visits import destination, go, pending_url, spawn_url

_OWN_FIELDS = {"_xsrf", "next"}
_OPTION = "opt-"


@get("/hub/spawn", "/hub/spawn/{name:str}", "/hub/spawn/{name:str}/{server_name:str}")
async def visit_spawn(
    hub: HubContext, caller: Caller, pages: Pages, request: Request, server_name: str = ""
) -> Response:
    """Start the server, show its options form, or lead to where it is already.

    A link of another site starts nothing: its visitor gets a button.
    """
    owner = await _owner(hub, caller, request, server_name)
    elsewhere = await _already(hub, request, owner, server_name)
    if elsewhere is not None:
        return elsewhere
    visit = _Visit(hub, pages, request, owner, server_name)
    form = await visit.form()
    query = _query_options(request)
    if is_foreign(request) or (form.asks and not query):
        return await visit.page(form, query or None)
    try:
        options = await (form.of_link(query) if query else form.of_nothing())
    except Invalid as wrong:
        return await visit.page(form, query, problem=wrong)
    return await visit.start(caller, options)


@post("/hub/spawn", "/hub/spawn/{name:str}", "/hub/spawn/{name:str}/{server_name:str}")
async def send_spawn(
    hub: HubContext, visitor: Caller | None, pages: Pages, request: Request, server_name: str = ""
) -> Response:
    """Start the server with what the form says."""
    if visitor is None:
        return go(login_url(request))
    owner = await _owner(hub, visitor, request, server_name)
    visit = _Visit(hub, pages, request, owner, server_name)
    form = await visit.form()
    fields, problem = await read_form(request)
    sent = await _form_options(fields)
    query = {} if sent else _query_options(request)
    try:
        if problem is None:
            elsewhere = await _already(hub, request, owner, server_name)
            if elsewhere is not None:
                return elsewhere
            options: Mapping[str, Any] | None
            if query:
                options = await form.of_link(query)
            else:
                options = await (form.of_form(sent) if form.asks or sent else form.of_nothing())
            return await visit.start(visitor, options, fields.get("next"))
    except (Invalid, OverLimit) as wrong:
        problem = wrong
    return await visit.page(form, sent or query, complete=not query, problem=problem)


async def _already(hub: HubContext, request: Request, owner: User, server_name: str) -> Response | None:
    """Return the way to a server that runs or is about to change; None when it can be started."""
    server = await find_server(hub, owner.name, server_name)
    if server is None:
        return None
    aim = wanted_next(hub, request)
    if server.ready:
        return go(destination(hub, server, aim))
    return _to_pending(hub, request, server, aim) if server.pending else None


def _to_pending(hub: HubContext, request: Request, server: Server, aim: str) -> Response:
    page = pending_url(hub, server)
    return go(with_arguments(page, next=aim) if aim else page)


async def _owner(hub: HubContext, caller: Caller, request: Request, server_name: str) -> User:
    """Return whose server is meant; raises NotFound or Forbidden when the caller may not start it."""
    name = request.path_params.get("name", caller.user.name)
    caller.require("start:servers", user=name, server=full_name(name, server_name))
    if name == caller.user.name:
        return caller.user
    async with hub.store.read() as tx:
        user = await tx.users.get(name)
    if user is None:
        raise NotFound(f"No such user: {name}")
    return user


@dataclass(frozen=True, slots=True)
class _Visit:
    """Somebody who is about to start a server."""

    hub: HubContext
    pages: Pages
    request: Request
    owner: User
    server_name: str

    async def form(self) -> OptionsForm:
        """Return what the owner has to choose; where there are profiles, nothing else counts."""
        if self.hub.profiles.in_use:
            return await profiles_form(self.hub, self.request, self.pages, self.owner, self.server_name)
        return await deployers_form(self.hub, self.request, self.owner, self.server_name)

    async def start(self, caller: Caller, options: Mapping[str, Any] | None, field: Any = None) -> Response:
        """Ask for the start and lead to its page."""
        try:
            server = await ask_to_start(
                self.hub, caller, self.owner.name, self.server_name, options, display_name=self._asked_name()
            )
        except Invalid:
            # In another tab it may have been started since we looked.
            elsewhere = await _already(self.hub, self.request, self.owner, self.server_name)
            if elsewhere is None:
                raise
            return elsewhere
        return _to_pending(self.hub, self.request, server, wanted_next(self.hub, self.request, field))

    def _asked_name(self) -> str:
        return first_argument(facts_of(self.request.scope).query, "display_name") or ""

    async def _label(self) -> str:
        """Return what people call the named server, which need not exist yet; empty for a default server."""
        if not self.server_name:
            return ""
        present = await find_server(self.hub, self.owner.name, self.server_name)
        return (present.display_name if present else self._asked_name()) or self.server_name

    async def page(
        self,
        form: OptionsForm,
        fields: Fields | None,
        *,
        complete: bool = False,
        problem: CarrelError | None = None,
    ) -> Response:
        """Return the page with the form, filled in with `fields`."""
        query = facts_of(self.request.scope).query
        action = spawn_url(self.hub, self.owner.name, self.server_name)
        action = f"{action}?{query}" if query else action
        html = form.html(fields, complete=complete, problem=problem)
        return self.pages.page(
            self.request,
            "spawn.html",
            status=200 if problem is None else status_of(problem),
            for_user=self.owner,
            server_name=self.server_name,
            server_label=await self._label(),
            spawner_options_form=Markup(html),  # noqa: S704 - the deployer's own or ours, values escaped
            error_message=form.told(problem),
            html_error_message="",
            action=action,
            # With the token, for the forms of templates made for JupyterHub have no field for it.
            url=with_arguments(action, _xsrf=xsrf_token(self.request)),
            next=wanted_next(self.hub, self.request),
        )


def _query_options(request: Request) -> dict[str, list[str]]:
    """Return the options that a link names as `opt-NAME=VALUE`, and the profile as `profile=ID`."""
    profiles = hub_of(request).profiles.in_use
    options: dict[str, list[str]] = {}
    for key, value in parse_qsl(facts_of(request.scope).query, keep_blank_values=True):
        if key.startswith(_OPTION) or (profiles and key == PROFILE):
            options.setdefault(key.removeprefix(_OPTION), []).append(value)
    return options


async def _form_options(form: FormData) -> dict[str, list[Any]]:
    """Return the deployer's fields, each a list; files under NAME_file as JupyterHub hands them on."""
    options: dict[str, list[Any]] = {}
    for key, value in form.multi_items():
        if key in _OWN_FIELDS:
            continue
        if isinstance(value, UploadFile):
            file = {
                "filename": value.filename,
                "body": await value.read(),
                "content_type": value.content_type,
            }
            options.setdefault(f"{key}_file", []).append(file)
        else:
            options.setdefault(key, []).append(str(value))
    return options
