"""/groups."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from carrel.api.limits import Names
from carrel.api.models import GroupModel, group_model
from carrel.api.paging import PAGES, PageModel, page_request, paged, pages_of
from carrel.core import groups
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid
from carrel.domain.paging import Page
from carrel.http.endpoint import delete, get, post, put

_GROUP = "/groups/{group:str}"
_USERS = "/groups/{group:str}/users"


class GroupBody(Struct, forbid_unknown_fields=True):
    """A group as clients send it: only its users are heeded."""

    users: Names | UnsetType = UNSET
    name: str = ""
    roles: list[Any] = []


class NewGroups(GroupBody):
    """The body of POST /groups."""

    groups: Names = []


class GroupPage(PageModel[list[GroupModel]]):
    """A page of groups."""


@get(
    "/groups",
    summary="List groups",
    scopes=("list:groups",),
    query=PAGES,
    responses={200: pages_of(list[GroupModel], GroupPage)},
)
async def list_groups(hub: HubContext, caller: Caller, request: Request) -> Response:
    """Return the groups that the caller may list, a page at a time."""
    found = await groups.list_groups(hub, caller, page_request(request))
    models = tuple(group_model(caller, record) for record in found.items)
    return paged(request, Page(models, found.offset, found.limit, found.total))


@post(
    "/groups",
    summary="Create groups",
    status=201,
    scopes=("admin:groups",),
    errors=(409,),
    example={"groups": ["class", "tutors"], "users": ["ada"]},
)
async def create_groups(hub: HubContext, caller: Caller, data: NewGroups) -> list[GroupModel]:
    """Create groups, each with the same users, and return them."""
    made = await groups.create_groups(hub, caller, data.groups, data.users or ())
    return [group_model(caller, record) for record in made]


@get(_GROUP, summary="Get a group", scopes=groups.READ_ANY)
async def get_group(hub: HubContext, caller: Caller, group: str) -> GroupModel:
    """Return a group as far as the caller's scopes go."""
    return group_model(caller, await groups.get_group(hub, caller, group))


@post(
    _GROUP,
    summary="Create a group",
    status=201,
    scopes=("admin:groups",),
    errors=(409,),
    example={"users": ["ada"]},
)
async def create_group(
    hub: HubContext, caller: Caller, group: str, data: GroupBody | None = None
) -> GroupModel:
    """Create one group and return it."""
    users = () if data is None else data.users or ()
    [made] = await groups.create_groups(hub, caller, [group], users)
    return group_model(caller, made)


@delete(_GROUP, summary="Delete a group", scopes=("delete:groups",))
async def delete_group(hub: HubContext, caller: Caller, group: str) -> None:
    """Remove a group; its members stay."""
    await groups.delete_group(hub, caller, group)


@post(_USERS, summary="Add members", scopes=("groups",), example={"users": ["ada"]})
async def add_members(hub: HubContext, caller: Caller, group: str, data: GroupBody) -> GroupModel:
    """Add users to a group and return it."""
    caller.require("groups", group=group)
    if data.users is UNSET:
        raise Invalid("Must specify users to add")
    return group_model(caller, await groups.add_members(hub, caller, group, data.users))


@delete(_USERS, summary="Remove members", status=200, scopes=("groups",), example={"users": ["ada"]})
async def remove_members(hub: HubContext, caller: Caller, group: str, data: GroupBody) -> GroupModel:
    """Take users out of a group and return it."""
    caller.require("groups", group=group)
    if data.users is UNSET:
        raise Invalid("Must specify users to delete")
    return group_model(caller, await groups.remove_members(hub, caller, group, data.users))


@put("/groups/{group:str}/properties", summary="Set properties", scopes=("groups",), example={"cpu": 4})
async def set_properties(hub: HubContext, caller: Caller, group: str, data: dict[str, Any]) -> GroupModel:
    """Replace a group's properties and return it."""
    return group_model(caller, await groups.set_properties(hub, caller, group, data))
