"""Nobody logs in: for hubs that are used by API tokens alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from carrel.authenticators.base import Authenticator


class NullAuthenticator(Authenticator):
    """Admits nobody and offers no form."""

    @property
    def login_form(self) -> bool:
        return False

    def check_allow_config(self) -> None:
        """Nothing to warn of: that nobody may log in is what was asked for."""

    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        return None
