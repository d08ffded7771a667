"""Any name, and one password or none: for trials and tests."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from traitlets import Unicode, default

from carrel.authenticators.base import Authenticator


class DummyAuthenticator(Authenticator):
    """Believes every name. Admits everybody unless an allow rule says otherwise."""

    password = Unicode(
        help="The password for everybody; empty accepts any. Use SharedPassword for real."
    ).tag(config=True)

    @default("allow_all")
    def _default_allow_all(self) -> bool:
        return not (self.allowed_users or self.allow_existing_users)

    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        given = str(data.get("password", ""))
        if self.password and not hmac.compare_digest(given.encode(), self.password.encode()):
            return None
        return data.get("username")
