"""Servers with the hub's own rights."""

from __future__ import annotations

import os
from pathlib import Path

from traitlets import Unicode, default

from carrel.lib.processes import Account
from carrel.spawners.errors import StartError
from carrel.spawners.local import LocalProcessSpawner


class SimpleLocalProcessSpawner(LocalProcessSpawner):
    """Starts servers with the hub's own rights, each in a directory of its own: for trials only."""

    home_dir_template = Unicode(
        "/tmp/{username}",  # noqa: S108 - JupyterHub's default
        help="The home directory of each user; made when missing. {username} is expanded.",
    ).tag(config=True)
    home_dir = Unicode()

    @default("home_dir")
    def _default_home_dir(self) -> str:
        return self.format_string(self.home_dir_template)

    def _rights(self) -> Account | None:
        return None

    def _changes_user(self) -> bool:
        return False

    @classmethod
    def _uid_of(cls, user_name: str) -> int | None:
        return os.geteuid()

    def _home(self) -> str:
        try:
            Path(self.home_dir).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(f"The directory {self.home_dir} cannot be made: {error.strerror}.") from error
        return self.home_dir

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add USER, HOME and SHELL."""
        return env | {"USER": self.user.name, "HOME": self.home_dir, "SHELL": "/bin/bash"}
