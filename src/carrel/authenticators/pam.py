"""The machine's own accounts and passwords, by PAM: the default."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pamela
from traitlets import Any as AnyTrait
from traitlets import Bool, Integer, Set, Unicode, default

from carrel.authenticators.answers import AuthModel
from carrel.authenticators.local import LocalAuthenticator, in_any_group
from carrel.authenticators.policy import show
from carrel.domain.errors import Invalid
from carrel.domain.names import check_user_name


class PAMAuthenticator(LocalAuthenticator):
    """Asks PAM, in a few threads of its own: a module may take seconds, and a wrong password always does."""

    service = Unicode("login", help="The PAM service to ask.").tag(config=True)
    encoding = Unicode("utf8", help="How names and passwords are encoded for PAM.").tag(config=True)
    check_account = Bool(True, help="Refuse accounts that PAM calls expired or locked.").tag(config=True)
    open_sessions = Bool(
        False, help="Open a PAM session when a server starts and close it after its end."
    ).tag(config=True)
    admin_groups = Set(Unicode(), help="Members of these groups of the system become administrators.").tag(
        config=True
    )
    pam_normalize_username = Bool(
        False, help="Use the name that the account database gives back for what was typed."
    ).tag(config=True)
    executor_threads = Integer(4, min=1, help="How many log-ins PAM is asked about at once.").tag(config=True)
    executor = AnyTrait(help="The threads that ask PAM.")

    @default("executor")
    def _default_executor(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.executor_threads, thread_name_prefix="pam")

    def close(self) -> None:
        """Let the threads go; a check under way may still end."""
        if "executor" in self._trait_values:
            self.executor.shutdown(wait=False, cancel_futures=True)

    async def authenticate(self, handler: Any, data: Mapping[str, Any]) -> Any:
        name, password = str(data.get("username", "")), str(data.get("password", ""))
        try:
            check_user_name(name)
        except Invalid:
            return None
        # PAM's strings end at NUL: what follows would not be compared.
        secrets = (password, str(data["otp"])) if data.get("otp") else (password,)
        if any("\0" in secret for secret in secrets):
            return None
        loop = asyncio.get_running_loop()
        problem = await loop.run_in_executor(self.executor, self._ask_pam, name, secrets)
        if problem is not None:
            self.log.warning("PAM refused %s: %s%s", show(name), problem, _hint(name))
            return None
        return name

    async def is_admin(self, handler: Any, authentication: AuthModel) -> Any:
        """Say yes to members of admin_groups; the common rule decides about all others."""
        if self.admin_groups and in_any_group(authentication["name"], self.admin_groups):
            return True
        return await super().is_admin(handler, authentication)

    def normalize_username(self, username: str) -> str:
        """Return the common form, or first the account's own name when pam_normalize_username is set."""
        if self.pam_normalize_username:
            with suppress(KeyError, ValueError):  # no such account: PAM will say so
                username = pwd.getpwuid(pwd.getpwnam(username).pw_uid).pw_name
        return super().normalize_username(username)

    def pre_spawn_start(self, user: Any, spawner: Any) -> Any:
        """Open the user's PAM session, if sessions are wanted; a failure is logged and turns them off."""
        return self._in_thread(pamela.open_session, user.name)

    def post_spawn_stop(self, user: Any, spawner: Any) -> Any:
        """Close the user's PAM session, if sessions are wanted."""
        return self._in_thread(pamela.close_session, user.name)

    def _in_thread(self, act: Any, name: str) -> Any:
        # A future, not a coroutine: it runs even for a subclass that calls this and does not await it.
        if not self.open_sessions:
            return None
        return asyncio.get_running_loop().run_in_executor(self.executor, self._session, act, name)

    def _session(self, act: Any, name: str) -> None:
        try:
            act(name, service=self.service, encoding=self.encoding)
        except pamela.PAMError as error:
            self.log.warning(
                "%s failed for %s: %s; PAM sessions are off now", act.__name__, show(name), error
            )
            self.open_sessions = False

    def _ask_pam(self, name: str, secrets: tuple[str, ...]) -> str | None:
        """Return None when PAM says yes, else its answer; runs in a thread."""
        try:
            pamela.authenticate(
                name, secrets, service=self.service, encoding=self.encoding, check=self.check_account
            )
        except pamela.PAMError as error:
            return show(error)
        except UnicodeEncodeError:
            return f"the name or password cannot be written in {self.encoding}"
        return None


def _hint(name: str) -> str:
    """Return why PAM may be wrong about a correct password: without root it knows one account only."""
    if os.geteuid() == 0:
        return ""
    own = pwd.getpwuid(os.geteuid()).pw_name
    if name == own:
        return ""
    return f" (the hub does not run as root, so PAM can check the password of {own} only)"
