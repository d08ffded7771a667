"""JSON shapes of shares and share codes, JupyterHub's field for field."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request

from carrel.api.models import moment
from carrel.api.paging import PageModel, pagination
from carrel.domain.hosts import Hosts
from carrel.domain.names import server_prefix
from carrel.domain.paging import Page
from carrel.domain.shares import Receiver, Share, ShareCode, SharedServer, filtered
from carrel.lib.clock import isoformat
from carrel.lib.urls import with_arguments


class Named(Struct):
    """A user or a group."""

    name: str


class SharedServerModel(Struct):
    """A server, as those see it with whom it is shared."""

    user: Named
    name: str
    url: str
    full_url: str | None
    ready: bool


class ShareModel(Struct):
    """What a user or a group may do with a server."""

    server: SharedServerModel
    scopes: list[str]
    user: Named | None
    group: Named | None
    kind: str
    created_at: str


class ShareCodeModel(Struct, kw_only=True):
    """A code that invites to a server; the code itself is only in the answer that makes it."""

    server: SharedServerModel
    scopes: list[str]
    id: str
    created_at: str
    expires_at: str
    exchange_count: int
    last_exchanged_at: str | None
    code: str | UnsetType = UNSET
    accept_url: str | UnsetType = UNSET
    full_accept_url: str | UnsetType | None = UNSET


#: Always in this form, whatever the client accepts.
ShareList = PageModel[list[ShareModel]]
ShareCodeList = PageModel[list[ShareCodeModel]]


def share_model(share: Share, hosts: Hosts) -> ShareModel:
    """Return a share as JSON."""
    receiver = share.receiver
    return ShareModel(
        server=_server_model(share.server, hosts),
        scopes=filtered(share.scopes, share.server.full_name),
        user=_named(receiver, "user"),
        group=_named(receiver, "group"),
        kind=receiver.kind,
        created_at=isoformat(share.created),
    )


def share_code_model(code: ShareCode, hosts: Hosts, secret: str | None = None) -> ShareCodeModel:
    """Return a share code as JSON, with the code itself and where it is accepted when it was just made."""
    model = ShareCodeModel(
        server=_server_model(code.server, hosts),
        scopes=filtered(code.scopes, code.server.full_name),
        id=f"sc_{code.id}",
        created_at=isoformat(code.created),
        expires_at=isoformat(code.expires),
        exchange_count=code.exchange_count,
        last_exchanged_at=moment(code.last_exchanged),
    )
    if secret is not None:
        model.code = secret
        model.accept_url = with_arguments(f"{hosts.base_url}hub/accept-share", code=secret)
        model.full_accept_url = hosts.full(model.accept_url)
    return model


def share_list(request: Request, page: Page[Share], hosts: Hosts) -> ShareList:
    """Return a page of shares."""
    return ShareList([share_model(share, hosts) for share in page.items], pagination(request, page))


def share_code_list(request: Request, page: Page[ShareCode], hosts: Hosts) -> ShareCodeList:
    """Return a page of share codes."""
    return ShareCodeList([share_code_model(code, hosts) for code in page.items], pagination(request, page))


def _server_model(server: SharedServer, hosts: Hosts) -> SharedServerModel:
    url = server_prefix(hosts.base_url, server.owner, server.name)
    full_url = hosts.full_server_url(server.owner, server.name)
    return SharedServerModel(Named(server.owner), server.name, url, full_url, server.ready)


def _named(receiver: Receiver, kind: str) -> Named | None:
    return Named(receiver.name) if receiver.kind == kind else None
