"""One user in the administration: their servers, and the forms that change and remove the user."""

from __future__ import annotations

from functools import partial

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.servers import ask_to_start, ask_to_stop
from carrel.core.users import UserChanges, UserWithServers, change_user, delete_user, get_user
from carrel.domain.errors import CarrelError, Invalid
from carrel.http.endpoint import get, post
from carrel.http.errors import login_url, status_of
from carrel.http.pages import Pages
from carrel.web.forms import Problems, carry_out, lines, text
from carrel.web.menu import sections
from carrel.web.users import user_line, user_url
from carrel.web.visits import go

_PAGE = "/hub/admin/users/{name:str}"
_REMOVAL = "/hub/admin/users/{name:str}/delete"


@get(_PAGE, scopes=("admin-ui",))
async def show_user(hub: HubContext, caller: Caller, name: str, pages: Pages, request: Request) -> Response:
    """Show a user and all that the visitor may do with them."""
    return await _page(hub, caller, name, pages, request)


@post(_PAGE)
async def send_user(
    hub: HubContext, visitor: Caller | None, name: str, pages: Pages, request: Request
) -> Response:
    """Start or stop one of a user's servers, or change the user."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    where, form, problem = await carry_out(request, partial(_change, hub, visitor, name))
    if where:
        return go(where)
    return await _page(hub, visitor, name, pages, request, form=form, problem=problem)


@get(_REMOVAL, scopes=("delete:users",))
async def show_removal(
    hub: HubContext, caller: Caller, name: str, pages: Pages, request: Request
) -> Response:
    """Ask whether a user is really to go."""
    caller.require("admin-ui")
    return await _removal(hub, caller, name, pages, request, None)


@post(_REMOVAL)
async def send_removal(
    hub: HubContext, visitor: Caller | None, name: str, pages: Pages, request: Request
) -> Response:
    """Remove a user, with their servers."""
    if visitor is None:
        return go(login_url(request))
    visitor.require("admin-ui")
    where, _, problem = await carry_out(request, partial(_delete, hub, visitor, name))
    return go(where) if where else await _removal(hub, visitor, name, pages, request, problem)


async def _delete(hub: HubContext, caller: Caller, name: str, form: FormData) -> str:
    await delete_user(hub, caller, name)
    return f"{hub.settings.base_url}hub/admin?done=deleted"


async def _change(hub: HubContext, caller: Caller, name: str, form: FormData) -> str:
    """Do what a form of the page asks for and return where to go next; raises what the use cases raise."""
    if "start" in form:
        await ask_to_start(hub, caller, name, text(form, "start"))
        return f"{user_url(hub, name)}?done=asked"
    if "stop" in form:
        await ask_to_stop(hub, caller, name, text(form, "stop"))
        return f"{user_url(hub, name)}?done=asked"
    if "save" not in form:
        raise Invalid("The form says nothing of what to do.")
    before = await get_user(hub, caller, name)
    changed = await change_user(hub, caller, name, _changes(caller, before, form))
    return f"{user_url(hub, changed.user.name)}?done=saved"


def _changes(caller: Caller, before: UserWithServers, form: FormData) -> UserChanges:
    """Return what differs from what is; what is not on the form stays as it is."""
    user, groups = before.user, lines(form, "groups")
    admin = "admin" in form
    return UserChanges(
        name=text(form, "name") if text(form, "name") != user.name else None,
        admin=admin if caller.is_admin and admin != user.admin else None,
        groups=groups if "groups" in form and set(groups) != set(before.groups) else None,
    )


async def _page(
    hub: HubContext,
    caller: Caller,
    name: str,
    pages: Pages,
    request: Request,
    *,
    form: FormData | None = None,
    problem: CarrelError | None = None,
) -> Response:
    record = await get_user(hub, caller, name)
    line = user_line(hub, caller, record)
    sent = form is not None and "save" in form
    return pages.page(
        request,
        "admin_user.html",
        status=200 if problem is None else status_of(problem),
        sections=sections(hub, caller, "Users"),
        line=line,
        roles=record.roles if caller.may("read:roles:users", user=name) else (),
        may_edit=caller.may("admin:users", user=name) and (caller.is_admin or not record.user.admin),
        may_make_admins=caller.is_admin,
        may_delete=caller.may("delete:users", user=name) and name != caller.user.name,
        name=text(form, "name") if form is not None and sent else name,
        admin="admin" in form if form is not None and sent else record.user.admin,
        groups="\n".join(lines(form, "groups") if form is not None and sent else line.groups),
        may_set_groups=caller.may("read:users:groups", user=name)
        and caller.scopes.grant("groups") is not None,
        problems=Problems.of(problem),
        done=request.query_params.get("done", "") if problem is None else "",
    )


async def _removal(
    hub: HubContext,
    caller: Caller,
    name: str,
    pages: Pages,
    request: Request,
    problem: CarrelError | None,
) -> Response:
    caller.require("delete:users", user=name)
    line = user_line(hub, caller, await get_user(hub, caller, name))
    return pages.page(
        request,
        "admin_delete.html",
        status=200 if problem is None else status_of(problem),
        sections=sections(hub, caller, "Users"),
        what="user",
        name=name,
        running=sum(server.active for server in line.servers),
        back=line.url,
        problems=Problems.of(problem),
    )
