"""Whose rights a local server has: those of its owner's account on this machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from traitlets import HasTraits

from carrel.lib import processes
from carrel.lib.process_table import Process
from carrel.lib.processes import Account
from carrel.spawners.errors import StartError
from carrel.spawners.orphans import is_server


def set_user_setuid(username: str, chdir: bool = True) -> Callable[[], None]:
    """Return what turns a forked child of root into `username`; for drivers that fork themselves."""
    account = processes.find_account(username)

    def become() -> None:
        os.setgroups(list(account.groups))
        os.setgid(account.gid)
        os.setuid(account.uid)
        if chdir:
            try:
                os.chdir(account.home)
            except OSError:
                os.chdir("/")

    return become


class OfAccount(HasTraits):
    """The part of a driver of local processes that knows the owner's account."""

    user: Any
    run_labels: Any
    _account: Account | None = None

    def _rights(self) -> Account | None:
        """Return the account that the process changes to, None to stay as we are."""
        account, own = self._find_account(), os.geteuid()
        if self._makes_own_child() or account.uid == own:
            return None
        if own != 0:
            raise StartError(
                f"The hub is not root, so it cannot start a server with the rights of {account.name}.",
                hint="Run the hub as root, or set c.JupyterHub.spawner_class to one that needs no root.",
            )
        return account

    def _changes_user(self) -> bool:
        return os.geteuid() == 0 and not self._makes_own_child()

    def _find_account(self) -> Account:
        if self._account is None:
            try:
                self._account = processes.find_account(self.user.name)
            except KeyError:
                raise StartError(
                    f"There is no account called {self.user.name} on this machine.",
                    hint="Create it, or set c.LocalAuthenticator.create_system_users = True.",
                ) from None
        return self._account

    def _home(self) -> str:
        return self._find_account().home

    def _makes_own_child(self) -> bool:
        return type(self).make_preexec_fn is not OfAccount.make_preexec_fn

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what turns the child into user `name`; called only where a subclass has its own."""
        return set_user_setuid(name)

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add what the account says: USER, HOME, SHELL."""
        account = self._find_account()
        return env | {"USER": account.name, "HOME": account.home, "SHELL": account.shell}

    @classmethod
    def _uid_of(cls, user_name: str) -> int | None:
        """Return the uid that a user's servers have, None for nobody."""
        try:
            return processes.find_account(user_name).uid
        except KeyError:
            return None

    def _is_mine(self, process: Process) -> bool:
        try:
            account = self._find_account() if self._makes_own_child() else self._rights()
        except StartError:
            return False
        return is_server(process, account.uid if account else os.geteuid(), self.run_labels())
