"""The list of OAuth endpoints, below the API's prefix as JupyterHub has them."""

from __future__ import annotations

from litestar.types import ControllerRouterHandler

from carrel.oauth import authorize, token

ENDPOINTS: tuple[ControllerRouterHandler, ...] = (authorize.authorize, authorize.confirm, token.exchange)
