"""Containers with the homes and the rights of this machine's accounts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from traitlets import Bool, Integer, Unicode

from carrel.lib import processes
from carrel.lib.processes import Account
from carrel.spawners.docker.manifest import Plan
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.docker.volumes import Volume, checked
from carrel.spawners.errors import StartError
from carrel.spawners.templates import expand


class SystemUserSpawner(DockerSpawner):
    """Starts each server in a container that has its owner's home and runs with the owner's uid and gid."""

    host_homedir_format_string = Unicode(
        "/home/{username}",
        help="Homes on the engine's machine; empty asks the accounts of the hub's machine.",
    ).tag(config=True)
    image_homedir_format_string = Unicode(
        "/home/{username}", help="Where a container sees its owner's home."
    ).tag(config=True)
    homedir_bind_propagation = Unicode(
        help="How mounts below the home are passed on: rshared, rslave, shared, slave, private or rprivate."
    ).tag(config=True)
    run_as_root = Bool(
        False,
        help="Start containers as root, for images that become the user of NB_UID and NB_GID themselves.",
    ).tag(config=True)
    user_id: Any = Integer(None, allow_none=True, help="The uid of servers; by default the account's.").tag(
        config=True
    )
    group_id: Any = Integer(None, allow_none=True, help="The gid of servers; by default the account's.").tag(
        config=True
    )

    @property
    def homedir(self) -> str:
        """Return the owner's home as the container sees it."""
        return self._home("image_homedir_format_string", self.image_homedir_format_string)

    @property
    def host_homedir(self) -> str:
        """Return the owner's home on the engine's machine."""
        template = self.host_homedir_format_string
        return self._home("host_homedir_format_string", template) if template else self._account().home

    def get_env(self) -> dict[str, str]:
        """Return the variables with those by which images know whose server it is."""
        uid, gid = self._ids()
        owner = {"USER": self.user.name, "HOME": self.homedir, "NB_USER": self.user.name}
        return owner | {"NB_UID": str(uid), "NB_GID": str(gid)} | super().get_env()

    async def _plan(self) -> Plan:
        plan = await super()._plan()
        uid, gid = self._ids()
        mode = f"rw,{self.homedir_bind_propagation}" if self.homedir_bind_propagation else "rw"
        return replace(
            plan,
            volumes=[*plan.volumes, Volume(self.host_homedir, self.homedir, mode)],
            user="root" if self.run_as_root else f"{uid}:{gid}",
            directory=self.homedir,
        )

    def _home(self, setting: str, template: str) -> str:
        names = {"username": self.user.name, "raw_username": self.user.name, "servername": self.name}
        return checked(
            f"c.SystemUserSpawner.{setting}", template, lambda text: expand(text, names), inside=True
        )

    def _ids(self) -> tuple[int, int]:
        if self.user_id is not None and self.group_id is not None:
            return self.user_id, self.group_id
        account = self._account()
        uid = account.uid if self.user_id is None else self.user_id
        return uid, account.gid if self.group_id is None else self.group_id

    def _account(self) -> Account:
        try:
            return processes.find_account(self.user.name)
        except KeyError:
            raise StartError(
                f"There is no account called {self.user.name} on the hub's machine.",
                hint="Create it, or set c.SystemUserSpawner.user_id and group_id.",
            ) from None
