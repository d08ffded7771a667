"""The administration of groups: the list, and one group with its members and properties.

Groups are named in the address's arguments, since their names may have slashes in them.
"""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.core import groups
from carrel.core.access import towards
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.groups import GroupOutline
from carrel.domain.errors import CarrelError, Invalid
from carrel.domain.paging import Page, PageRequest
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.pages import Pages
from carrel.web.forms import Problems, carry_out, lines, text
from carrel.web.menu import sections
from carrel.web.paging import offset_of, pager
from carrel.web.users import user_url
from carrel.web.visits import go

_PER_PAGE = 50
_MEMBERS_PER_PAGE = 100


def group_url(hub: HubContext, name: str) -> str:
    """Return the page of a group in the administration."""
    return f"{_groups_url(hub)}/group?name={quote(name, safe='')}"


def _groups_url(hub: HubContext) -> str:
    return f"{hub.settings.base_url}hub/admin/groups"


@get("/hub/admin/groups", scopes=("list:groups",))
async def show_groups(hub: HubContext, caller: Caller, pages: Pages, request: Request) -> Response:
    """List the groups, a page at a time, with the form that makes one."""
    caller.require("admin-ui")
    return await _list(hub, caller, pages, request)


@post("/hub/admin/groups")
async def send_groups(hub: HubContext, visitor: Caller | None, pages: Pages, request: Request) -> Response:
    """Make a group and lead to its page."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    where, form, problem = await carry_out(request, partial(_create, hub, visitor))
    if where:
        return go(where)
    return await _list(hub, visitor, pages, request, name=text(form, "name"), problem=problem)


async def _create(hub: HubContext, caller: Caller, form: FormData) -> str:
    name = text(form, "name")
    if not name:
        raise Invalid("Write a name.", field="name")
    await groups.create_groups(hub, caller, [name])
    return f"{group_url(hub, name)}&done=made"


async def _list(
    hub: HubContext,
    caller: Caller,
    pages: Pages,
    request: Request,
    *,
    name: str = "",
    problem: CarrelError | None = None,
) -> Response:
    found = await groups.outline_groups(hub, caller, PageRequest(offset_of(request), _PER_PAGE))
    grant = caller.scopes.grant("admin:groups")
    return pages.page(
        request,
        "admin_groups.html",
        status=200 if problem is None else status_of(problem),
        sections=sections(hub, caller, "Groups"),
        lines=[_line(hub, caller, record) for record in found.items],
        pager=pager(found, _groups_url(hub)),
        may_make=grant is not None and (grant.everything or bool(grant.groups)),
        name=name,
        problems=Problems.of(problem),
        done=request.query_params.get("done", "") if problem is None else "",
    )


def _line(hub: HubContext, caller: Caller, record: GroupOutline) -> dict[str, Any]:
    name = record.group.name
    may_look = any(caller.may(scope, group=name) for scope in groups.READ_ANY)
    return {
        "name": name,
        "url": group_url(hub, name) if may_look else "",
        "members": record.size if caller.may("read:groups", group=name) else None,
        "roles": record.roles if caller.may("read:roles:groups", group=name) else (),
    }


@get("/hub/admin/groups/group", scopes=groups.READ_ANY)
async def show_group(hub: HubContext, caller: Caller, pages: Pages, request: Request, name: str) -> Response:
    """Show a group and all that the visitor may do with it."""
    caller.require("admin-ui")
    return await _page(hub, caller, name, pages, request)


@post("/hub/admin/groups/group")
async def send_group(
    hub: HubContext, visitor: Caller | None, pages: Pages, request: Request, name: str
) -> Response:
    """Add or remove members, or change the properties."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    where, form, problem = await carry_out(request, partial(_change, hub, visitor, name))
    if where:
        return go(where)
    return await _page(hub, visitor, name, pages, request, form, problem)


async def _change(hub: HubContext, caller: Caller, name: str, form: FormData) -> str:
    """Do what a form of the group's page asks for; raises what the use cases raise."""
    if "add" in form:
        users = lines(form, "users")
        if not users:
            raise Invalid("Write at least one user's name.", field="users")
        await groups.add_members(hub, caller, name, users)
    elif "remove" in form:
        await groups.remove_members(hub, caller, name, [text(form, "remove")])
    elif "save" in form:
        await groups.set_properties(hub, caller, name, _properties(text(form, "properties")))
    else:
        raise Invalid("The form says nothing of what to do.")
    return f"{group_url(hub, name)}&done=saved"


def _properties(written: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(written or "{}", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise Invalid(
            f'Properties are a JSON object, such as {{"term": "autumn"}}: {error}', field="properties"
        ) from None


async def _page(
    hub: HubContext,
    caller: Caller,
    name: str,
    pages: Pages,
    request: Request,
    form: FormData | None = None,
    problem: CarrelError | None = None,
) -> Response:
    wanted = PageRequest(offset_of(request), _MEMBERS_PER_PAGE)
    record = await groups.outline_group(hub, caller, name, wanted)
    sees = caller.may("read:groups", group=name)
    shown = record.group.members if sees else ()
    members_page = Page(shown, wanted.offset, wanted.limit, record.size)
    looking = await towards(hub, caller, shown)
    kept = FormData() if form is None else form
    stored = msgspec.json.format(msgspec.json.encode(record.group.properties)).decode() if sees else ""
    return pages.page(
        request,
        "admin_group.html",
        status=200 if problem is None else status_of(problem),
        sections=sections(hub, caller, "Groups"),
        name=name,
        url=group_url(hub, name),
        removal_url=f"{_groups_url(hub)}/delete?name={quote(name, safe='')}",
        sees=sees,
        members=[
            (member, user_url(hub, member) if looking.may("read:users:name", user=member) else "")
            for member in shown
        ],
        pager=pager(members_page, group_url(hub, name)),
        roles=record.roles if caller.may("read:roles:groups", group=name) else (),
        may_edit=caller.may("groups", group=name),
        may_delete=caller.may("delete:groups", group=name),
        users=text(kept, "users"),
        properties=text(kept, "properties") or stored,
        problems=Problems.of(problem),
        done=request.query_params.get("done", "") if problem is None else "",
    )


@get("/hub/admin/groups/delete", scopes=("delete:groups",))
async def show_removal(
    hub: HubContext, caller: Caller, pages: Pages, request: Request, name: str
) -> Response:
    """Ask whether a group is really to go."""
    caller.require("admin-ui")
    return await _removal(hub, caller, name, pages, request, None)


@post("/hub/admin/groups/delete")
async def send_removal(
    hub: HubContext, visitor: Caller | None, pages: Pages, request: Request, name: str
) -> Response:
    """Remove a group; its members stay."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    where, _, problem = await carry_out(request, partial(_delete, hub, visitor, name))
    return go(where) if where else await _removal(hub, visitor, name, pages, request, problem)


async def _delete(hub: HubContext, caller: Caller, name: str, form: FormData) -> str:
    await groups.delete_group(hub, caller, name)
    return f"{_groups_url(hub)}?done=deleted"


async def _removal(
    hub: HubContext,
    caller: Caller,
    name: str,
    pages: Pages,
    request: Request,
    problem: CarrelError | None,
) -> Response:
    caller.require("delete:groups", group=name)
    await groups.outline_group(hub, caller, name, PageRequest(limit=0))
    return pages.page(
        request,
        "admin_delete.html",
        status=200 if problem is None else status_of(problem),
        sections=sections(hub, caller, "Groups"),
        what="group",
        name=name,
        running=0,
        back=group_url(hub, name),
        problems=Problems.of(problem),
    )
