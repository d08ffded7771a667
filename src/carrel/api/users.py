"""/user and /users."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from carrel.api.limits import MANY, Names
from carrel.api.models import IdentityModel, UserModel, identity_model, user_model, user_models
from carrel.api.paging import PAGES, PageModel, page_request, paged, pages_of
from carrel.api.services import ServiceIdentityModel, service_identity
from carrel.core import activity_reports, services, users
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.errors import Forbidden, Invalid, Unauthenticated
from carrel.domain.paging import Page
from carrel.http.endpoint import Answer, delete, get, patch, post
from carrel.lib.clock import Timestamp, parse_iso
from carrel.storage.users import UserFilter

_SORT_KEYS: dict[str, Literal["id", "name", "last_activity"]] = {
    "id": "id",
    "name": "name",
    "last_activity": "last_activity",
}
_STATES: dict[str, Literal["active", "ready", "inactive"] | None] = {
    "": None,
    "active": "active",
    "ready": "ready",
    "inactive": "inactive",
}
#: Texts of the query, with what the API's description says of them.
_State = Annotated[
    str,
    Meta(
        description="Only users with a server that is active (runs, starts or stops) or ready, or without an"
        " active one.",
        extra_json_schema={"enum": list(_STATES)},
    ),
]
_Sort = Annotated[
    str,
    Meta(
        description="The order; a minus sign turns it round.",
        extra_json_schema={"enum": [sign + key for sign in ("", "-") for key in _SORT_KEYS]},
    ),
]
_NamePart = Annotated[str, Meta(description="Only users whose name contains this, in capitals or not.")]
_Flag = Annotated[str, Meta(description="`0` and `false` are no, anything else is yes.", examples=["1"])]


class NewUser(Struct, forbid_unknown_fields=True):
    """The body of POST /users/NAME. Clients send back what they were given: only `admin` is heeded."""

    admin: bool = False
    name: str = ""
    groups: list[Any] = []
    roles: list[Any] = []
    auth_state: dict[str, Any] = {}


class NewUsers(NewUser, forbid_unknown_fields=True):
    """The body of POST /users."""

    usernames: Names = []


class UserChanges(Struct, forbid_unknown_fields=True):
    """The body of PATCH /users/NAME."""

    name: str | UnsetType = UNSET
    admin: bool | UnsetType = UNSET
    groups: Names | UnsetType = UNSET
    roles: Names | UnsetType = UNSET
    auth_state: dict[str, Any] | UnsetType = UNSET


class UserPage(PageModel[list[UserModel]]):
    """A page of users."""


class ServerActivity(Struct):
    """When a server was last used."""

    last_activity: str


class ActivityReport(Struct):
    """The body of POST /users/NAME/activity."""

    last_activity: str | None = None
    servers: Annotated[dict[str, ServerActivity], MANY] = {}


@get("/user", summary="Who am I")
async def whoami(hub: HubContext, visitor: Caller | None) -> IdentityModel | ServiceIdentityModel:
    """Return the caller with the scopes of the token or session in use."""
    caller = visitor
    if caller is None:
        raise Unauthenticated
    if caller.service is not None:
        return service_identity(caller, await services.get_self(hub, caller), hub.hosts)
    record = await users.get_self(hub, caller)
    return identity_model(caller, record, hub.hosts)


@get(
    "/users",
    summary="List users",
    scopes=("list:users",),
    query=PAGES,
    responses={200: pages_of(list[UserModel], UserPage)},
)
async def list_users(
    hub: HubContext,
    caller: Caller,
    request: Request,
    state: _State = "",
    name_filter: _NamePart = "",
    sort: _Sort = "id",
    include_stopped_servers: _Flag = "0",
) -> Response:
    """Return the users that the caller may list, a page at a time."""
    key = _SORT_KEYS.get(sort.removeprefix("-"))
    if key is None:
        raise Invalid(f"sort must be 'id', 'name', or 'last_activity', not {sort[:40]!r}")
    if state not in _STATES:
        raise Invalid(f"Unrecognized state filter: {state[:40]!r}")
    which = UserFilter(name_filter, _STATES[state], None, key, sort.startswith("-"))
    found = await users.list_users(hub, caller, which, page_request(request))
    stopped = _is_set(include_stopped_servers)
    models = user_models(caller, found.items, hub.hosts, include_stopped=stopped)
    return paged(request, Page(tuple(models), found.offset, found.limit, found.total))


@post(
    "/users",
    summary="Create users",
    status=201,
    scopes=("admin:users",),
    errors=(409,),
    example={"usernames": ["ada", "bea"], "admin": False},
)
async def create_users(hub: HubContext, caller: Caller, data: NewUsers | None = None) -> list[UserModel]:
    """Create the users that do not exist yet and return them."""
    if data is None or not data.usernames:
        raise Invalid("Must specify at least one user to create")
    created = await users.create_users(hub, caller, data.usernames, admin=data.admin)
    return [user_model(caller, record, hub.hosts) for record in created]


@get("/users/{name:str}", summary="Get a user", scopes=users.READ_ANY)
async def get_user(
    hub: HubContext, caller: Caller, name: str, include_stopped_servers: _Flag = "0"
) -> UserModel:
    """Return a user as far as the caller's scopes go."""
    record = await users.get_user(hub, caller, name)
    include_stopped = _is_set(include_stopped_servers)
    return user_model(caller, record, hub.hosts, include_stopped=include_stopped)


@post(
    "/users/{name:str}",
    summary="Create a user",
    status=201,
    scopes=("admin:users",),
    errors=(409,),
    example={"admin": False},
)
async def create_user(hub: HubContext, caller: Caller, name: str, data: NewUser | None = None) -> UserModel:
    """Create one user and return them."""
    admin = data is not None and data.admin
    created = await users.create_user(hub, caller, name, admin=admin)
    return user_model(caller, created, hub.hosts)


@patch(
    "/users/{name:str}",
    summary="Change a user",
    scopes=("admin:users",),
    errors=(409,),
    example={"name": "ada.lovelace", "groups": ["class"]},
)
async def change_user(hub: HubContext, caller: Caller, name: str, data: UserChanges) -> UserModel:
    """Rename a user, or change their admin flag, groups, roles or what the authenticator keeps of them."""
    given = msgspec.structs.asdict(data)
    changes = users.UserChanges(**{key: value for key, value in given.items() if value is not UNSET})
    record = await users.change_user(hub, caller, name, changes)
    model = user_model(caller, record, hub.hosts)
    if model.auth_state is UNSET:
        model.auth_state = None
    return model


@delete("/users/{name:str}", summary="Delete a user", scopes=("delete:users",), errors=(400,))
async def delete_user(hub: HubContext, caller: Caller, name: str) -> None:
    """Remove a user whose servers are stopped."""
    await users.delete_user(hub, caller, name)


@post("/users/{name:str}/admin-access", summary="Gone", scopes=("servers",))
async def admin_access(caller: Caller, name: str) -> None:
    """Refuse: who may see others' servers has the scope for it, and needs no cookie made here."""
    caller.require("servers", user=name)
    raise Forbidden("admin access to user servers disabled")


@post(
    "/users/{name:str}/activity",
    summary="Report activity",
    scopes=("users:activity",),
    responses={200: Answer("Noted; the answer is empty.")},
    example={"servers": {"": {"last_activity": "2026-11-26T12:00:00.000000Z"}}},
)
async def report_activity(hub: HubContext, caller: Caller, name: str, data: ActivityReport) -> Response:
    """Move the last activity of a user and of their servers forward."""
    # Before anything is said of the body.
    caller.require("users:activity", user=name)
    if not data.last_activity and not data.servers:
        raise Invalid("body must contain at least one of `last_activity` or `servers`")
    seen = _moment(data.last_activity) if data.last_activity else None
    servers = {server: _moment(report.last_activity) for server, report in data.servers.items()}
    await activity_reports.report(hub, caller, name, seen, servers)
    return Response(media_type="application/json")


def _moment(text: str) -> Timestamp:
    try:
        return parse_iso(text)
    except ValueError:
        raise Invalid(f"Not a valid timestamp: {text[:40]!r}") from None


def _is_set(text: str) -> bool:
    return text.lower() not in {"0", "false"}
