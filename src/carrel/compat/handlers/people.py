"""Who asks, and signing in: what a plug-in says of somebody goes the same way as a form of the hub's."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tornado.web import HTTPError

from carrel.authenticators.login import read_model
from carrel.authenticators.policy import Refusal
from carrel.compat.facades import person_of, user_facade
from carrel.compat.handlers.cookies import CookiesMixin
from carrel.compat.handlers.users import Users, find, unborn
from carrel.core.login import admit, keep_identity, prove
from carrel.core.metrics import done
from carrel.domain.errors import CarrelError
from carrel.domain.events import Work
from carrel.domain.identity import Identity
from carrel.http.errors import status_of
from carrel.http.identify import bearer_token, identify
from carrel.lib.awaiting import resolve
from carrel.storage.base import StorageUnavailable

_log = logging.getLogger("carrel.compat")


class PeopleMixin(CookiesMixin):
    """The visitor, and log-ins."""

    _jupyterhub_user: Any
    """Who asks, once that is known; plug-ins set it, too."""
    _refusal: Refusal | None = None
    """Why the log-in that this request attempted was refused."""

    async def prepare(self) -> None:
        """Look up who asks; Tornado calls it before any method."""
        try:
            await self.get_current_user()
        except CarrelError as error:
            raise HTTPError(status_of(error), str(error)) from error
        except StorageUnavailable as error:
            raise HTTPError(503, "The database does not answer now. Please try again in a moment.") from error

    async def get_current_user(self) -> Any:
        """Return who asks: a user, for programs also a service, or None."""
        if not hasattr(self, "_jupyterhub_user"):
            self._jupyterhub_user = None
            self._jupyterhub_user = person_of(self._ctx, await identify(self._visit))
        return self._jupyterhub_user

    # Tornado's own would keep the coroutine that plug-ins await.
    @property
    def current_user(self) -> Any:
        """Who asks, as `get_current_user` found it."""
        if not hasattr(self, "_jupyterhub_user"):
            raise RuntimeError("Nobody has looked yet who asks: await get_current_user() first")
        return self._jupyterhub_user

    @current_user.setter
    def current_user(self, user: Any) -> None:
        self._jupyterhub_user = user

    def get_auth_token(self) -> str | None:
        """Return the token of the Authorization header."""
        return bearer_token(self._visit)

    async def refresh_auth(self, user: Any, force: bool = False) -> Any:
        """Return `user`: the authenticator was asked about who asks when they were looked up."""
        return user

    def find_user(self, name: str) -> Any:
        """Return the user of that name, or None."""
        return find(self._ctx, name)

    def user_from_username(self, username: str) -> Any:
        """Return the user of that name; one who does not exist yet is made when they are signed in."""
        return self.find_user(username) or unborn(self._ctx, username)

    @property
    def users(self) -> Users:
        """The hub's users by their names."""
        return Users(self._ctx, self._facts.caller, self._before_reply)

    # -- signing in ----------------------------------------------------------------------------------------

    async def login_user(self, data: Mapping[str, Any] | None = None) -> Any:
        """Sign in whoever the authenticator says it is, and return them; None when it says no.

        Raises what the authenticator raises.
        """
        model = await resolve(self.authenticate(data))
        if not model:
            return None
        user = await self.auth_to_user(model)
        self.set_login_cookie(user)
        self._jupyterhub_user = user
        _log.info("%s logged in from %s", user.name, self._facts.client)
        return user

    async def authenticate(self, data: Mapping[str, Any] | None) -> dict[str, Any] | None:
        """Return what the authenticator says of who wants to sign in; None when they may not.

        Raises what it raises.
        """
        began = self._ctx.clock.monotonic()
        outcome = await prove(self._ctx, data, self, self.authenticator)
        if isinstance(outcome, Identity):
            return _model_of(outcome)
        done(self._ctx, Work.LOG_IN, began, "failure")
        self._refuse(outcome)
        return None

    async def auth_to_user(self, authenticated: Any, user: Any = None) -> Any:
        """Return the user whom the authenticator means, with all that it says of them kept.

        A session is opened, unless it is about a `user` who is signed in. Raises HTTPError for who is
        refused, ValueError for an answer that cannot be, or that is about somebody else.
        """
        model = {"name": authenticated} if isinstance(authenticated, str) else authenticated
        identity = read_model(self.authenticator, model)
        if user is not None:
            if user.name != identity.name:
                raise ValueError(f"The authenticator answers about {identity.name}, who is not {user.name}")
            await keep_identity(self._ctx, user.record, identity)
            return user
        began = self._ctx.clock.monotonic()
        outcome = await admit(self._ctx, identity)
        done(self._ctx, Work.LOG_IN, began, "failure" if isinstance(outcome, Refusal) else "success")
        if isinstance(outcome, Refusal):
            self._refuse(outcome)
            raise HTTPError(outcome.status, outcome.reason_for_page)
        self._login = outcome
        return user_facade(self._ctx, outcome.user, identity.groups or ())

    def _refuse(self, refusal: Refusal) -> None:
        """Note why a log-in was refused; raise the authenticator's own exception when it was that."""
        self._refusal = refusal
        _log.warning("Log-in from %s refused: %s", self._facts.client, refusal.reason_for_log)
        if isinstance(refusal.cause, TimeoutError | CarrelError):
            raise HTTPError(refusal.status, refusal.reason_for_page) from refusal.cause
        if refusal.cause is not None:
            raise refusal.cause


def _model_of(identity: Identity) -> dict[str, Any]:
    """Return an identity as plug-ins know it."""
    names = ("name", "admin", "auth_state", "user_info", "groups", "roles")
    return {name: getattr(identity, name) for name in names}
