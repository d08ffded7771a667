"""What authenticators share whose users have accounts on this machine."""

from __future__ import annotations

import asyncio
import grp
import inspect
import os
import pwd
from typing import Any

from traitlets import Bool, Dict, Instance, Integer, List, Set, Unicode

from carrel.authenticators.answers import AuthModel
from carrel.authenticators.base import Authenticator
from carrel.authenticators.policy import show
from carrel.domain.errors import Invalid
from carrel.lib.awaiting import resolve
from carrel.lib.calling import call_fitting

_ADD_USER = ["useradd", "--create-home", "--shell", "/bin/bash"]


class LocalAuthenticator(Authenticator):
    """Users are accounts of the system; they may be made on first use, and admitted by group."""

    create_system_users = Bool(False, help="Make the account of a new user who has none yet.").tag(
        config=True
    )
    add_user_cmd: List[str] = List(
        Unicode(),
        _ADD_USER,
        help="The command that makes an account; USERNAME is replaced, and the name comes last.",
    ).tag(config=True)
    uids: Dict[str, int] = Dict(
        value_trait=Integer(), help="The numeric user id that a new account gets, by name."
    ).tag(config=True)
    allowed_groups = Set(Unicode(), help="Members of these groups of the system are admitted.").tag(
        config=True
    )
    group_whitelist = Set(Unicode(), help="Old name of allowed_groups.").tag(config=True)
    _making = Instance(asyncio.Lock, ())

    def check_allowed(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Tell whether the name is admitted by a group or by the common rules.

        Plain as long as the rules are: a subclass may well say `super().check_allowed(...) and …`, and a
        coroutine is always true.
        """
        in_group = call_fitting(self.check_allowed_groups, username, authentication)
        common = super().check_allowed(username, authentication)
        if inspect.isawaitable(in_group) or inspect.isawaitable(common):
            return self._either(username, in_group, common)
        return self._admit(username, in_group, common)

    async def _either(self, username: str, in_group: Any, common: Any) -> bool:
        return self._admit(username, await resolve(in_group), await resolve(common))

    def _admit(self, username: str, in_group: object, common: object) -> bool:
        return bool(common or (in_group and not self.standing(username).blocked))

    def check_allowed_groups(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Tell whether the account is in one of allowed_groups."""
        return bool(self.allowed_groups) and in_any_group(username, self.allowed_groups)

    def check_group_whitelist(self, username: str, authentication: AuthModel | None = None) -> Any:
        """Old name of check_allowed_groups."""
        return LocalAuthenticator.check_allowed_groups(self, username, authentication)

    async def add_user(self, user: Any) -> None:
        """Make sure that the account exists; raise Invalid when it does not and may not be made."""
        if not self.system_user_exists(user):
            if not self.create_system_users:
                raise Invalid(
                    f"There is no account {show(user.name)} on this machine. Make one, or set "
                    "c.LocalAuthenticator.create_system_users = True."
                )
            # Who signs in twice in one moment is made once, and programs that make accounts do so in turn.
            async with self._making:
                if not self.system_user_exists(user):
                    await resolve(self.add_system_user(user))
        await resolve(super().add_user(user))

    def system_user_exists(self, user: Any) -> bool:
        """Tell whether there is an account of the user's name."""
        return _account(user.name) is not None

    async def add_system_user(self, user: Any) -> None:
        """Run add_user_cmd for the user; raise Invalid with its last words when it fails."""
        name = user.name
        if name.startswith("-"):
            raise Invalid("The name of an account does not begin with a hyphen.")
        command = [part.replace("USERNAME", name) for part in self.add_user_cmd]
        if name in self.uids:
            command += ["--uid", str(self.uids[name])]
        process = await asyncio.create_subprocess_exec(
            *command, name, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await process.communicate()
        if process.returncode:
            said = show(errors.decode(errors="replace").strip())
            raise Invalid(f"The account {show(name)} could not be made ({command[0]}: {said}).")
        self.log.info("Made the account %s", show(name))


def in_any_group(username: str, names: set[str]) -> bool:
    """Tell whether an account is in one of the system's groups; unknown accounts and groups are in none."""
    account = _account(username)
    if account is None:
        return False
    ids = set(os.getgrouplist(username, account.pw_gid))
    return any(_group_id(name) in ids for name in names)


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except (KeyError, ValueError):
        return None


def _group_id(name: str) -> int | None:
    try:
        return grp.getgrnam(name).gr_gid
    except (KeyError, ValueError):
        return None
