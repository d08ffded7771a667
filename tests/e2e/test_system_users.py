"""The default set-up: the machine's own accounts log in with PAM, and each server runs as its user."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.accounts import PYTHON, SERVER, Account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.systems import under_test

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that every account may read, as pytest's own are not."""
    path = Path(tempfile.mkdtemp(prefix="carrel-test-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def test_a_system_account_gets_a_server_of_its_own(
    tmp_path: Path, public_directory: Path, system_account: Account
) -> None:
    need(PYTHON.exists(), f"{PYTHON}")
    script = public_directory / "server.py"
    script.write_text(SERVER)
    script.chmod(0o644)
    config = f"c.Authenticator.allow_all = True\nc.Spawner.cmd = [{str(PYTHON)!r}, {str(script)!r}]\n"
    account = pwd.getpwnam(system_account.name)
    with HubProcess(under_test(), tmp_path, config) as hub:
        visitor = hub.visitor()
        assert visitor.log_in(account.pw_name, "wrong", "/hub/home").status == 403
        visitor.log_in(account.pw_name, system_account.password, "/hub/home")
        token = hub.token(account.pw_name)
        assert hub.api("POST", f"users/{account.pw_name}/server", token=token).status in {201, 202}
        hub.wait_server(account.pw_name, token)
        words = hub.visitor().get(f"user/{account.pw_name}/").text.split()
        assert words == [
            str(account.pw_uid),
            str(account.pw_gid),
            account.pw_dir,
            account.pw_dir,
            account.pw_name,
            "0o22",
        ]
        logs = list((tmp_path / "carrel-run" / "logs").iterdir())
        assert [path.stat().st_uid for path in logs] == [os.getuid()]
        assert system_account.password not in hub.log
        assert hub.api("DELETE", f"users/{account.pw_name}/server", token=token).status in {202, 204}
        hub.wait_server(account.pw_name, token, running=False)
