"""One password for all users, and a longer one for administrators: for classes."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from traitlets import Dict, List, TraitError, Unicode, validate

from carrel.authenticators.base import Authenticator

_MIN_USER, _MIN_ADMIN = 8, 32


class SharedPasswordAuthenticator(Authenticator):
    """Believes a name that comes with the shared password; an admin's name needs the admin password."""

    user_password: Unicode[str | None, Any] = Unicode(
        None, allow_none=True, help=f"The password of all users, at least {_MIN_USER} characters."
    ).tag(config=True)
    admin_password: Unicode[str | None, Any] = Unicode(
        None,
        allow_none=True,
        help=f"The password of those in admin_users, at least {_MIN_ADMIN} characters.",
    ).tag(config=True)

    password_groups: Dict[str, list[str]] = Dict(
        List(Unicode()),
        key_trait=Unicode(),
        help="Further passwords, each with the groups of who logs in with it. It takes manage_groups = True.",
    ).tag(config=True)

    @validate("password_groups")
    def _check_groups(self, proposal: Any) -> Any:
        if proposal.value and not self.manage_groups:
            raise TraitError("SharedPasswordAuthenticator.password_groups takes manage_groups = True.")
        if any(len(password) < _MIN_USER for password in proposal.value):
            text = f"each password must have at least {_MIN_USER} characters."
            raise TraitError(f"SharedPasswordAuthenticator.password_groups: {text}")
        return proposal.value

    @validate("user_password", "admin_password")
    def _check_passwords(self, proposal: Any) -> Any:
        name, value = proposal.trait.name, proposal.value
        least = _MIN_USER if name == "user_password" else _MIN_ADMIN
        if value is not None and len(value) < least:
            raise TraitError(f"SharedPasswordAuthenticator.{name} must have at least {least} characters.")
        if value is not None and self.user_password == self.admin_password:
            raise TraitError("SharedPasswordAuthenticator: user_password and admin_password must differ.")
        return value

    def check_allow_config(self) -> None:
        super().check_allow_config()
        if self.user_password is None and not self.password_groups:
            self.log.warning("SharedPasswordAuthenticator.user_password is not set: users cannot log in.")
        if self.admin_users and self.admin_password is None:
            self.log.warning("SharedPasswordAuthenticator.admin_password is not set: admins cannot log in.")

    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        name, given = str(data.get("username", "")), str(data.get("password", ""))
        # Which password counts hangs on the name as the hub will know it, however it was typed.
        admin = self.standing(self.normalize_username(name)).admin
        wanted = self.admin_password if admin else self.user_password
        if wanted is not None and hmac.compare_digest(given.encode(), wanted.encode()):
            return self._model(name, admin, [])
        if admin:
            return None
        # All of them are compared, so that the time tells nothing of which it was.
        found = [
            groups
            for password, groups in self.password_groups.items()
            if hmac.compare_digest(given.encode(), password.encode())
        ]
        return self._model(name, False, found[0]) if found else None

    def _model(self, name: str, admin: bool, groups: list[str]) -> dict[str, Any]:
        return {"name": name, "admin": admin} | ({"groups": list(groups)} if self.manage_groups else {})
