"""Running the batch system's commands for a driver, with the rights of the owner or the hub's own."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Callable
from typing import Any, ClassVar

from traitlets import Unicode

from carrel.spawners.batch import script
from carrel.spawners.batch.commands import Ran, run, words_of
from carrel.spawners.batch.names import Naming
from carrel.spawners.batch.settings import BatchSettings
from carrel.spawners.batch.values import check_setting
from carrel.spawners.errors import StartError

_PATH = re.compile(r"/[\w./@%+=:,-]*", re.ASCII)


class BatchCommands(BatchSettings):
    """The part of a driver that runs commands."""

    job_id = Unicode()
    get_env: Callable[[], dict[str, str]]
    run_labels: Callable[[], dict[str, str]]
    naming: ClassVar[Naming] = Naming()
    client_variables: ClassVar[tuple[str, ...]] = ()
    """How the variables of the hub begin that the commands need."""
    gone_re: ClassVar[str] = r"(?!)"
    """What commands say of a job that is not there any more."""
    system: ClassVar[str] = "batch system"

    @property
    def job_name(self) -> str:
        """What the job of this run is called."""
        return self.naming.name(self.hub.hub_id, (self.server_id, self.generation))

    def get_req_subvars(self) -> dict[str, str]:
        """Return the requirements by the names that templates use; raises StartError for what is none."""
        found = {name[4:]: str(getattr(self, name)) for name in self._requirements()}
        for name, text in found.items():
            try:
                check_setting(name, text)
            except ValueError as error:
                raise StartError(f"{type(self).__name__}: {error}", "Choose another value.") from None
        if found.get("keepvars_extra"):
            found["keepvars"] += f",{found['keepvars_extra']}"
        if not _PATH.fullmatch(found["homedir"]):
            raise StartError(f"The home directory {found['homedir']!r:.100} cannot stand in a script.")
        return found

    def _requirements(self) -> list[str]:
        return [name for name in self.trait_names() if name.startswith("req_") and name != "req_choices"]

    def _prefix(self) -> str:
        return script.render("exec_prefix", self.exec_prefix, self.get_req_subvars())

    async def _as_owner(self, template: str, setting: str, text: str = "") -> Ran:
        """Run a command of a setting with the rights of the owner."""
        values = {**self.get_req_subvars(), "job_id": self.job_id, "job_name": self.job_name}
        name = f"c.{type(self).__name__}.{setting}"
        return await self._run(
            f"{self.exec_prefix} {template}".strip(), text, lambda word: script.render(name, word, values)
        )

    async def _run(self, template: str, text: str = "", expand: Any = None, *, expanded: bool = False) -> Ran:
        words = shlex.split(template) if expanded else words_of(template, expand or str)
        return await run(words, self._command_environment(), limit=self.command_timeout, text=text)

    def _command_environment(self) -> dict[str, str]:
        """Return what commands get, and jobs with them where the batch system passes it on.

        The server's own variables are among it only where the script does not set them.
        """
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ("PATH", "LANG", "LC_ALL") or name.startswith(self.client_variables)
        }
        kept |= self._account()
        template = str(self.batch_script)
        given = "exports" in template or "environment_file" in template
        return kept if given else {**kept, **self.get_env(), **self.run_labels()}

    def _account(self) -> dict[str, str]:
        name = self.req_username
        try:
            shell = pwd.getpwnam(name).pw_shell
        except KeyError:
            shell = ""
        facts = {"USER": name, "LOGNAME": name, "HOME": self.req_homedir, "SHELL": shell}
        return {key: value for key, value in facts.items() if value}


def first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
