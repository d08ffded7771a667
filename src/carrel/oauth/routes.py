"""The list of OAuth endpoints."""

from __future__ import annotations

from carrel.http.endpoint import Endpoint
from carrel.oauth import authorize, openid, token

#: Below the API's prefix, as JupyterHub has them.
ENDPOINTS: tuple[Endpoint, ...] = (
    authorize.authorize,
    authorize.confirm,
    token.exchange,
    token.revoke,
    openid.keys,
    openid.user_info,
)
#: Relative to the base URL.
WELL_KNOWN: tuple[Endpoint, ...] = (openid.discover,)
