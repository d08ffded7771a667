"""A system account for tests that become another user or check a password with PAM."""

from __future__ import annotations

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this machine."""

    name: str
    password: str = field(repr=False)


@contextlib.contextmanager
def temporary_account() -> Iterator[Account]:
    """Yield a new system user with a home directory and a password; both are gone at the end. Needs root."""
    account = Account(f"carrel-t{secrets.token_hex(4)}", secrets.token_urlsafe(12))
    _run(["useradd", "--create-home", "--shell", "/bin/bash", account.name])
    try:
        _run(["chpasswd"], text=f"{account.name}:{account.password}\n")
        yield account
    finally:
        _run(["userdel", "--remove", "--force", account.name])


def _run(command: list[str], text: str = "") -> None:
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
