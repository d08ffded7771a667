"""/share-codes."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request

from carrel.api.paging import PAGES, page_request
from carrel.api.share_models import ShareCodeList, ShareCodeModel, share_code_list, share_code_model
from carrel.core import share_codes
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.domain.shares import DEFAULT_LIFETIME, LONGEST_LIFETIME, SHORTEST_LIFETIME
from carrel.http.endpoint import delete, get, post

#: A server's default one has an empty name.
_SERVER = ("/share-codes/{name:str}/", "/share-codes/{name:str}/{server:str}")


class NewShareCode(Struct, forbid_unknown_fields=True):
    """What a code is to give, and for how many seconds it is good."""

    scopes: list[str] | None = None
    expires_in: Annotated[int, Meta(ge=SHORTEST_LIFETIME, le=LONGEST_LIFETIME)] = DEFAULT_LIFETIME


@get(
    "/share-codes/{name:str}",
    summary="List share codes of a user's servers",
    scopes=("read:shares",),
    query=PAGES,
)
async def list_codes(hub: HubContext, caller: Caller, name: str, request: Request) -> ShareCodeList:
    """Return the codes that invite to a user's servers, a page at a time, without the codes themselves."""
    found = await share_codes.list_codes(hub, caller, name, None, page_request(request))
    return share_code_list(request, found, hub.hosts)


@get(*_SERVER, summary="List share codes of a server", scopes=("read:shares",), query=PAGES)
async def list_codes_of_server(
    hub: HubContext, caller: Caller, name: str, request: Request, server: str = ""
) -> ShareCodeList:
    """Return the codes that invite to a server, a page at a time, without the codes themselves."""
    found = await share_codes.list_codes(hub, caller, name, server, page_request(request))
    return share_code_list(request, found, hub.hosts)


@post(
    *_SERVER,
    summary="Make a share code",
    scopes=("shares",),
    example={"scopes": ["access:servers!server=ada/"], "expires_in": 3600},
)
async def make_code(
    hub: HubContext, caller: Caller, name: str, data: NewShareCode | None = None, server: str = ""
) -> ShareCodeModel:
    """Return a new code that invites to a server; it is shown this once."""
    wanted = data or NewShareCode()
    made = await share_codes.make_code(hub, caller, name, server, wanted.scopes, wanted.expires_in)
    return share_code_model(made.record, hub.hosts, made.secret)


@delete(*_SERVER, summary="Revoke share codes", scopes=("shares",))
async def revoke_codes(
    hub: HubContext,
    caller: Caller,
    name: str,
    server: str = "",
    code: str | None = None,
    id: str | None = None,  # noqa: A002 - the argument's name
) -> None:
    """End one code of a server, named by itself or by its id, or all of them; what they gave stays."""
    await share_codes.revoke_codes(hub, caller, name, server, secret=code, public_id=id)


ENDPOINTS = (list_codes, list_codes_of_server, make_code, revoke_codes)
