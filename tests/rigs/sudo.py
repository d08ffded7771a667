"""A machine on which sudo lets the account of a hub start servers for the members of a group."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carrel.spawners import sudo_helper
from tests.rigs.accounts import temporary_account
from tests.rigs.needs import need


@dataclass(frozen=True, slots=True)
class SudoSite:
    """What was set up, all of it gone at the end."""

    place: Path
    """Root's; everybody may read it."""
    hub: str
    """The hub's account."""
    group: str
    user: str
    """A member of the group."""
    stranger: str
    """An account outside the group."""
    rules: Path

    @property
    def helper(self) -> Path:
        return self.place / "carrel-sudo-helper"

    @property
    def policy(self) -> Path:
        return self.place / "sudo.json"

    def allow(self, *commands: Sequence[str], **more: Any) -> None:
        """Write the policy."""
        policy = {"commands": commands, "group": self.group, **more}
        self.policy.write_text(json.dumps(policy))

    def as_hub(self, *words: str) -> list[str]:
        """Return a command line that runs as the hub's account, with nothing of root's."""
        return ["setpriv", f"--reuid={self.hub}", f"--regid={self.hub}", "--init-groups", *words]

    def write_rules(self, *lines: str) -> None:
        """Write the sudoers file of this site; sudo has to find no mistake in it."""
        self.rules.unlink(missing_ok=True)
        self.rules.touch(mode=0o440)
        self.rules.write_text("\n".join(lines) + "\n")
        subprocess.run(["visudo", "--check", "--quiet", f"--file={self.rules}"], check=True)

    def rule(self) -> str:
        """Return the rule that lets the hub run the helper as members of the group."""
        return f"{self.hub} ALL=(%{self.group}) NOPASSWD: {self.helper} {self.policy}"

    def ask(self, request: object, user: str = "") -> dict[str, Any]:
        """Return what the helper answers the hub's account; a text is sent as it is."""
        text = request if isinstance(request, str) else json.dumps(request)
        words = ["sudo", "-n", "-u", user or self.user, "--", str(self.helper), str(self.policy)]
        done = subprocess.run(
            self.as_hub(*words), input=text, capture_output=True, text=True, check=False, timeout=30
        )
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))


@contextmanager
def sudo_site() -> Iterator[SudoSite]:
    """Yield a site with the rule in force and no command allowed yet."""
    need(os.geteuid() == 0, "root")
    need(shutil.which("sudo"), "sudo")
    need(shutil.which("setpriv"), "setpriv")
    with ExitStack() as stack:
        hub, user, stranger = (stack.enter_context(temporary_account()).name for _ in range(3))
        group = f"carrel-g{secrets.token_hex(3)}"
        subprocess.run(["groupadd", group], check=True)
        stack.callback(subprocess.run, ["groupdel", group], check=True)
        subprocess.run(["usermod", "--append", "--groups", group, user], check=True)
        place = Path(tempfile.mkdtemp(prefix="carrel-test-"))
        stack.callback(shutil.rmtree, place)
        place.chmod(0o755)
        rules = Path(f"/etc/sudoers.d/carrel-test-{secrets.token_hex(4)}")
        stack.callback(rules.unlink, missing_ok=True)
        site = SudoSite(place, hub, group, user, stranger, rules)
        shutil.copy(sudo_helper.__file__, site.helper)
        site.helper.chmod(0o755)
        site.write_rules(site.rule())
        yield site


def put_hub_before_sudo(site: SudoSite) -> Path:
    """Return a directory whose `sudo` is called by the hub's account: to be put first on a test's PATH."""
    directory = site.place / "bin"
    directory.mkdir(exist_ok=True)
    shim = directory / "sudo"
    words = " ".join(site.as_hub(str(shutil.which("sudo"))))
    shim.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    shim.chmod(0o755)
    return directory
