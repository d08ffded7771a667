"""The list of OAuth endpoints, below the API's prefix as JupyterHub has them."""

from __future__ import annotations

from carrel.http.endpoint import Endpoint
from carrel.oauth import authorize, token

ENDPOINTS: tuple[Endpoint, ...] = (authorize.authorize, authorize.confirm, token.exchange)
