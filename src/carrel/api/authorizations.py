"""/authorizations: who is behind a token or cookie, as servers from before JupyterHub 2 ask."""

from __future__ import annotations

from typing import NoReturn

from starlette.requests import Request

from carrel.api.models import UserModel, user_model
from carrel.api.services import ServiceModel, service_model
from carrel.core.access import caller_of_session
from carrel.core.caller import Caller
from carrel.core.context import HubContext
from carrel.core.services import ServiceWithRoles
from carrel.core.users import get_self, owner_of_token
from carrel.domain.errors import Forbidden, NotFound
from carrel.http.endpoint import get, post
from carrel.http.sessions import login_cookie, unsign


@get("/authorizations/token/{secret:str}", summary="Whose token is this")
async def token_owner(hub: HubContext, visitor: Caller | None, secret: str) -> UserModel | ServiceModel:
    """Return the owner of a token: name and groups, and what else the caller may see."""
    asking, record = await owner_of_token(hub, _with_token(visitor), secret)
    if isinstance(record, ServiceWithRoles):
        return service_model(asking, record, hub.hosts)
    return user_model(asking, record, hub.hosts)


@post("/authorizations/token", "/authorizations/token/{secret:str}", summary="Gone", errors=(404,))
async def no_token() -> NoReturn:
    """Say where tokens are made today."""
    raise NotFound(
        "Deprecated endpoint /hub/api/authorizations/token is removed in JupyterHub 2.0."
        " Use /hub/api/users/:user/tokens instead."
    )


@get(
    "/authorizations/cookie/{name:str}",
    "/authorizations/cookie/{name:str}/{value:str}",
    summary="Whose cookie is this",
)
async def cookie_owner(hub: HubContext, visitor: Caller | None, request: Request, name: str) -> UserModel:
    """Return who is logged in with a log-in cookie, as far as the caller may see."""
    asking = _with_token(visitor)
    value = request.path_params.get("value") or (await request.body()).decode("latin-1")
    secret = unsign(value, hub.settings.cookie_secret) if name == login_cookie(hub.settings) else None
    found = None if secret is None else await caller_of_session(hub, secret)
    if found is None:
        raise NotFound
    return user_model(asking, await get_self(hub, found), hub.hosts)


def _with_token(visitor: Caller | None) -> Caller:
    """Return who asks; a cookie alone is not enough here."""
    if visitor is None or visitor.token is None:
        raise Forbidden
    return visitor
