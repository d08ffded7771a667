"""/user and /users."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from carrel.api.models import IdentityModel, UserModel, identity_model, user_model
from carrel.api.paging import page_request, paged
from carrel.core import activity_reports, users
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Invalid
from carrel.domain.paging import Page
from carrel.http.endpoint import delete, get, patch, post
from carrel.lib.clock import Timestamp, parse_iso
from carrel.storage.base import UserFilter

State = Literal["active", "ready", "inactive"]
SortKey = Literal["id", "name", "last_activity"]
_SORT_KEYS: dict[str, SortKey] = {"id": "id", "name": "name", "last_activity": "last_activity"}


class NewUsers(Struct):
    """The body of POST /users."""

    usernames: list[str]
    admin: bool = False


class NewUser(Struct):
    """The body of POST /users/NAME."""

    admin: bool = False


class UserChanges(Struct, forbid_unknown_fields=True):
    """The body of PATCH /users/NAME."""

    name: str | UnsetType = UNSET
    admin: bool | UnsetType = UNSET
    groups: list[str] | UnsetType = UNSET
    roles: list[str] | UnsetType = UNSET


class ServerActivity(Struct):
    """When a server was last used."""

    last_activity: str


class ActivityReport(Struct):
    """The body of POST /users/NAME/activity."""

    last_activity: str | None = None
    servers: dict[str, ServerActivity] = {}


@get("/user", summary="Who am I")
async def whoami(hub: HubContext, caller: Caller) -> IdentityModel:
    """Return the caller with the scopes of the token or session in use."""
    record = await users.get_self(hub, caller)
    return identity_model(caller, record, hub.settings.base_url)


@get("/users", summary="List users", scopes=("list:users",))
async def list_users(
    hub: HubContext,
    caller: Caller,
    request: Request,
    state: State | None = None,
    name_filter: str = "",
    sort: str = "id",
    include_stopped_servers: bool = False,
) -> Response:
    """Return the users that the caller may list, a page at a time."""
    key = _SORT_KEYS.get(sort.removeprefix("-"))
    if key is None:
        raise Invalid("sort must be id, name or last_activity, with - before it to turn it round")
    which = UserFilter(name_filter, state, None, key, sort.startswith("-"))
    found = await users.list_users(hub, caller, which, page_request(request))
    models = tuple(
        user_model(caller, record, hub.settings.base_url, include_stopped=include_stopped_servers)
        for record in found.items
    )
    return paged(request, Page(models, found.offset, found.limit, found.total))


@post("/users", summary="Create users", status=201, scopes=("admin:users",))
async def create_users(hub: HubContext, caller: Caller, data: NewUsers) -> list[UserModel]:
    """Create the users that do not exist yet and return them."""
    if not data.usernames:
        raise Invalid("Must specify at least one user to create")
    created = await users.create_users(hub, caller, data.usernames, admin=data.admin)
    return [user_model(caller, record, hub.settings.base_url) for record in created]


@get("/users/{name:str}", summary="Get a user", scopes=users.READ_ANY)
async def get_user(
    hub: HubContext, caller: Caller, name: str, include_stopped_servers: bool = False
) -> UserModel:
    """Return a user as far as the caller's scopes go."""
    record = await users.get_user(hub, caller, name)
    return user_model(caller, record, hub.settings.base_url, include_stopped=include_stopped_servers)


@post("/users/{name:str}", summary="Create a user", status=201, scopes=("admin:users",))
async def create_user(hub: HubContext, caller: Caller, name: str, data: NewUser | None = None) -> UserModel:
    """Create one user and return them."""
    created = await users.create_users(hub, caller, [name], admin=data is not None and data.admin)
    return user_model(caller, created[0], hub.settings.base_url)


@patch("/users/{name:str}", summary="Change a user", scopes=("admin:users",))
async def change_user(hub: HubContext, caller: Caller, name: str, data: UserChanges) -> UserModel:
    """Rename a user, or change their admin flag, groups or roles."""
    given = msgspec.structs.asdict(data)
    changes = users.UserChanges(**{key: value for key, value in given.items() if value is not UNSET})
    record = await users.change_user(hub, caller, name, changes)
    return user_model(caller, record, hub.settings.base_url)


@delete("/users/{name:str}", summary="Delete a user", scopes=("delete:users",))
async def delete_user(hub: HubContext, caller: Caller, name: str) -> None:
    """Remove a user whose servers are stopped."""
    await users.delete_user(hub, caller, name)


@post("/users/{name:str}/activity", summary="Report activity", scopes=("users:activity",))
async def report_activity(hub: HubContext, caller: Caller, name: str, data: ActivityReport) -> str:
    """Move the last activity of a user and of their servers forward."""
    seen = None if data.last_activity is None else _moment(data.last_activity)
    servers = {server: _moment(report.last_activity) for server, report in data.servers.items()}
    await activity_reports.report(hub, caller, name, seen, servers)
    return ""


def _moment(text: str) -> Timestamp:
    try:
        return parse_iso(text)
    except ValueError:
        raise Invalid(f"Not an ISO 8601 timestamp: {text[:40]!r}") from None
