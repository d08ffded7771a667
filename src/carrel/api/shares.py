"""/shares, and /shared of users and groups."""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from carrel.api.paging import PAGES, page_request
from carrel.api.share_models import ShareList, ShareModel, share_list, share_model
from carrel.core import shares
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.shares import ShareRequest
from carrel.http.endpoint import Answer, delete, get, json_reply, patch, post

#: A server's default one has an empty name.
_SERVER = ("/shares/{name:str}/", "/shares/{name:str}/{server:str}")
_OF_USER = "/users/{name:str}/shared"
_ONE_OF_USER = (f"{_OF_USER}/{{owner:str}}/", f"{_OF_USER}/{{owner:str}}/{{server:str}}")
_OF_GROUP = "/groups/{group:str}/shared"
_ONE_OF_GROUP = (f"{_OF_GROUP}/{{owner:str}}/", f"{_OF_GROUP}/{{owner:str}}/{{server:str}}")

_EXAMPLE = {"user": "bea", "scopes": ["access:servers!server=ada/"]}


class ShareBody(Struct, forbid_unknown_fields=True):
    """With whom to share, or no more: a user or a group, and which scopes."""

    user: str | None = None
    group: str | None = None
    scopes: list[str] | None = None


@get("/shares/{name:str}", summary="List shares of a user's servers", scopes=("read:shares",), query=PAGES)
async def list_shares(hub: HubContext, caller: Caller, name: str, request: Request) -> ShareList:
    """Return with whom a user's servers are shared, a page at a time."""
    found = await shares.list_shares(hub, caller, name, None, page_request(request))
    return share_list(request, found, hub.hosts)


@get(*_SERVER, summary="List shares of a server", scopes=("read:shares",), query=PAGES)
async def list_shares_of_server(
    hub: HubContext, caller: Caller, name: str, request: Request, server: str = ""
) -> ShareList:
    """Return with whom a server is shared, a page at a time."""
    found = await shares.list_shares(hub, caller, name, server, page_request(request))
    return share_list(request, found, hub.hosts)


@post(*_SERVER, summary="Share a server", scopes=("shares",), example=_EXAMPLE)
async def share_server(
    hub: HubContext, caller: Caller, name: str, data: ShareBody | None = None, server: str = ""
) -> ShareModel:
    """Give a user or a group scopes for a server, by default access, and return all that they have."""
    share = await shares.share_server(hub, caller, name, server, _request(data))
    return share_model(share, hub.hosts)


@patch(
    *_SERVER,
    summary="Share less of a server",
    scopes=("shares",),
    example=_EXAMPLE,
    responses={200: Answer("What is left, an empty object for nothing.", (ShareModel, dict[str, str]))},
)
async def unshare_server(
    hub: HubContext, caller: Caller, name: str, data: ShareBody | None = None, server: str = ""
) -> Response:
    """Take scopes, or all, from a user or a group; return what is left, an empty object for nothing."""
    share = await shares.unshare_server(hub, caller, name, server, _request(data))
    return json_reply({} if share is None else share_model(share, hub.hosts))


@delete(*_SERVER, summary="Share a server no more", scopes=("shares",))
async def unshare_all(hub: HubContext, caller: Caller, name: str, server: str = "") -> None:
    """Take what is shared of a server from everybody."""
    await shares.unshare_all(hub, caller, name, server)


@get(_OF_USER, summary="List what is shared with a user", scopes=("read:users:shares",), query=PAGES)
async def shared_with_user(hub: HubContext, caller: Caller, name: str, request: Request) -> ShareList:
    """Return what is shared with a user or with their groups, a page at a time."""
    found = await shares.shared_with_user(hub, caller, name, page_request(request))
    return share_list(request, found, hub.hosts)


@get(*_ONE_OF_USER, summary="Get what is shared with a user", scopes=("read:users:shares",))
async def get_share_of_user(
    hub: HubContext, caller: Caller, name: str, owner: str, server: str = ""
) -> ShareModel:
    """Return what a user may do with one server, by name and not by a group."""
    share = await shares.get_share_of_user(hub, caller, name, owner, server)
    return share_model(share, hub.hosts)


@delete(*_ONE_OF_USER, summary="Give up what is shared with a user", scopes=("users:shares",))
async def give_up_share_of_user(
    hub: HubContext, caller: Caller, name: str, owner: str, server: str = ""
) -> None:
    """End what a user may do with one server."""
    await shares.give_up_share_of_user(hub, caller, name, owner, server)


@get(_OF_GROUP, summary="List what is shared with a group", scopes=("read:groups:shares",), query=PAGES)
async def shared_with_group(hub: HubContext, caller: Caller, group: str, request: Request) -> ShareList:
    """Return what is shared with a group, a page at a time."""
    found = await shares.shared_with_group(hub, caller, group, page_request(request))
    return share_list(request, found, hub.hosts)


@get(*_ONE_OF_GROUP, summary="Get what is shared with a group", scopes=("read:groups:shares",))
async def get_share_of_group(
    hub: HubContext, caller: Caller, group: str, owner: str, server: str = ""
) -> ShareModel:
    """Return what the members of a group may do with one server."""
    share = await shares.get_share_of_group(hub, caller, group, owner, server)
    return share_model(share, hub.hosts)


@delete(*_ONE_OF_GROUP, summary="Give up what is shared with a group", scopes=("groups:shares",))
async def give_up_share_of_group(
    hub: HubContext, caller: Caller, group: str, owner: str, server: str = ""
) -> None:
    """End what the members of a group may do with one server."""
    await shares.give_up_share_of_group(hub, caller, group, owner, server)


def _request(body: ShareBody | None) -> ShareRequest:
    return ShareRequest() if body is None else ShareRequest(body.user, body.group, body.scopes)


ENDPOINTS = (
    list_shares,
    list_shares_of_server,
    share_server,
    unshare_server,
    unshare_all,
    shared_with_user,
    get_share_of_user,
    give_up_share_of_user,
    shared_with_group,
    get_share_of_group,
    give_up_share_of_group,
)
