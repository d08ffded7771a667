"""The administration of users: the list with its search, and the form that adds some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.core.access import towards
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import ask_to_start, ask_to_stop
from carrel.core.users import UserWithServers, create_users, list_users
from carrel.domain.errors import CarrelError, Invalid
from carrel.domain.names import escape, full_name
from carrel.domain.paging import PageRequest
from carrel.domain.servers import never_started
from carrel.domain.users import User
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.pages import Pages
from carrel.http.request import facts_of
from carrel.lib.urls import with_arguments
from carrel.storage.users import UserFilter
from carrel.web.forms import Problems, carry_out, lines, read_form, text, texts
from carrel.web.menu import sections
from carrel.web.paging import clamp, pager
from carrel.web.servers import ServerLine, server_line
from carrel.web.visits import go

_PER_PAGE = 50
#: Servers that one form may start or stop: more than a page shows.
_MOST_AT_ONCE = 500
_SORTS = ("name", "last_activity", "id")


@dataclass(frozen=True, slots=True)
class Search:
    """What the list shows, as its address says; the names are those of the REST API."""

    name_filter: str = ""
    state: Literal["", "active", "ready", "inactive"] = ""
    sort: Literal["name", "-name", "last_activity", "-last_activity", "id", "-id"] = "name"
    offset: int = 0

    def filter(self) -> UserFilter:
        """Return the same for the database."""
        key = next(name for name in ("name", "last_activity", "id") if name == self.sort.lstrip("-"))
        return UserFilter(self.name_filter, self.state or None, sort=key, descending=self.sort[0] == "-")

    def address(self, page: str, **others: str) -> str:
        """Return the address of the first page that shows it; `others` replace what it says."""
        own = {"name_filter": self.name_filter, "state": self.state, "sort": self.sort} | others
        usual = {"name_filter": "", "state": "", "sort": "name"}
        return with_arguments(page, **{name: text for name, text in own.items() if text != usual[name]})


@dataclass(frozen=True, slots=True)
class UserLine:
    """One user as a list shows them, and as much of them as its visitor may see."""

    user: User
    url: str
    admin: bool
    groups: tuple[str, ...]
    may_see_activity: bool
    servers: tuple[ServerLine, ...]
    """The default server first; it is there even when it was never started."""


def user_line(hub: HubContext, caller: Caller, record: UserWithServers) -> UserLine:
    """Return a user as `caller` may see them; asks the database nothing."""
    user = record.user
    caller = replace(caller, groups_of={**caller.groups_of, user.name: record.groups})
    rows = record.servers
    if all(row.name for row in rows):
        rows = (never_started(user), *rows)
    shown = [row for row in rows if caller.may("read:servers", server=full_name(user.name, row.name))]
    sees_admin = any(caller.may(scope, user=user.name) for scope in ("read:users:name", "read:roles:users"))
    return UserLine(
        user=user,
        url=user_url(hub, user.name),
        admin=user.admin and sees_admin,
        groups=record.groups if caller.may("read:users:groups", user=user.name) else (),
        may_see_activity=caller.may("read:users:activity", user=user.name),
        servers=tuple(server_line(hub, caller, row) for row in shown),
    )


def user_url(hub: HubContext, name: str) -> str:
    """Return the page of one user in the administration."""
    return f"{hub.settings.base_url}hub/admin/users/{escape(name)}"


@get("/hub/admin", scopes=("admin-ui",))
async def show_users(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """List the users whom the search finds, a page at a time; lead on who may see only other sections."""
    shown = sections(hub, caller, "")
    if caller.scopes.grant("list:users") is None and shown:
        return go(shown[0].url)
    return await _list(hub, caller, pages, request)


@post("/hub/admin")
async def send_users(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Start or stop the server whose button was pressed, or those that were ticked."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    form, problem = await read_form(request)
    refused = [problem] if problem else await _start_and_stop(hub, visitor, form)
    if refused:
        return await _list(hub, visitor, pages, request, refused)
    return go(with_arguments(facts_of(request.scope).url, done="asked"))


async def _start_and_stop(hub: HubContext, caller: Caller, form: FormData) -> list[CarrelError]:
    """Ask for what a form of the list says and return what was refused."""
    one = text(form, "one")
    verb, targets = (one.split(" ", 1)[0], [one.partition(" ")[2]]) if one else (text(form, "all"), [])
    targets = targets or texts(form, "server")
    if not targets:
        return [Invalid("Tick the servers first.")]
    if len(targets) > _MOST_AT_ONCE:
        return [Invalid(f"At most {_MOST_AT_ONCE} servers at once.")]
    caller = await towards(hub, caller, (target.partition("/")[0] for target in targets))
    refused: list[CarrelError] = []
    for target in targets:
        owner, _, name = target.partition("/")
        try:
            if verb == "start":
                await ask_to_start(hub, caller, owner, name)
            elif verb == "stop":
                await ask_to_stop(hub, caller, owner, name)
            else:
                raise Invalid("A server can be started and stopped.")
        except CarrelError as error:
            refused.append(error)
    return refused


async def _list(
    hub: HubContext, caller: Caller, pages: Pages, request: Request, refused: Sequence[CarrelError] = ()
) -> Response:
    search, page = _search(request), f"{hub.settings.base_url}hub/admin"
    grant = caller.scopes.grant("list:users")
    if grant is None:
        return pages.page(
            request, "admin.html", sections=[], may_list=False, may_add=False, refused=[], done=""
        )
    found = await list_users(hub, caller, search.filter(), PageRequest(search.offset, _PER_PAGE))
    return pages.page(
        request,
        "admin.html",
        may_list=True,
        status=status_of(refused[0]) if refused else 200,
        sections=sections(hub, caller, "Users"),
        lines=[user_line(hub, caller, record) for record in found.items],
        pager=pager(found, search.address(page)),
        search=search,
        sorts={key: search.address(page, sort=_turned(search.sort, key)) for key in _SORTS},
        refused=[
            each.for_people or "There is no such server, or it is not yours to change." for each in refused
        ],
        may_add=_may_add(caller),
        done=_done(request) if not refused else "",
    )


def _search(request: Request) -> Search:
    try:
        search = msgspec.convert(dict(request.query_params), Search, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"The address of this list is wrong: {error}") from None
    if "\0" in search.name_filter:
        raise Invalid("name_filter: the character NUL stands in it")
    return replace(search, name_filter=search.name_filter.strip()[:255], offset=clamp(search.offset))


def _turned(sort: str, key: str) -> str:
    """Return how the list is sorted once a column's head was followed: the other way the second time."""
    newest_first = key == "last_activity"
    usual, other = (f"-{key}", key) if newest_first else (key, f"-{key}")
    return other if sort == usual else usual


def _may_add(caller: Caller) -> bool:
    grant = caller.scopes.grant("admin:users")
    return grant is not None and (grant.everything or bool(grant.users))


def _done(request: Request) -> str:
    return request.query_params.get("done", "")


@get("/hub/admin/add", scopes=("admin:users",))
async def show_add(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """Show the form that adds users."""
    caller.require("admin-ui")
    return _adding(hub, caller, pages, request, FormData(), None)


@post("/hub/admin/add")
async def send_add(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Add the users whose names were sent; those who exist already stay as they are."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    where, form, problem = await carry_out(request, partial(_add, hub, visitor))
    return go(where) if where else _adding(hub, visitor, pages, request, form, problem)


async def _add(hub: HubContext, caller: Caller, form: FormData) -> str:
    names = lines(form, "names")
    if not names:
        raise Invalid("Write at least one name.", field="names")
    await create_users(hub, caller, names, admin="admin" in form)
    return f"{hub.settings.base_url}hub/admin?done=added&sort=-id"


def _adding(
    hub: HubContext,
    caller: Caller,
    pages: Pages,
    request: Request,
    form: FormData,
    problem: CarrelError | None,
) -> Response:
    return pages.page(
        request,
        "admin_add.html",
        status=200 if problem is None else status_of(problem),
        sections=sections(hub, caller, "Users"),
        names=text(form, "names"),
        admin="admin" in form,
        may_make_admins=caller.is_admin,
        problems=Problems.of(problem),
    )
