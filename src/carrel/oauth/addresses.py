"""The hub's addresses as other applications know them."""

from __future__ import annotations

import re

from starlette.requests import Request

from carrel.domain.errors import Invalid
from carrel.http.request import facts_of, header, hub_of

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def issuer_of(request: Request) -> str:
    """Return the name under which the hub signs: its public address, with `hub` at the end and no slash.

    Without `public_url` it is the address that the request came to. Raises Invalid when that is none.
    """
    settings = hub_of(request).settings
    if settings.public_url:
        return f"{settings.public_url.rstrip('/')}/hub"
    host = header(request, "host")
    if not _HOST.fullmatch(host):
        raise Invalid("The Host header names no host.")
    return f"{facts_of(request.scope).scheme}://{host}{settings.base_url}hub"
