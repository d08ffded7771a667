"""The first hub: accounts of the machine, PAM, a server that runs as its user, control panel; then HTTPS."""

from __future__ import annotations

import pwd
import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.rigs.accounts import PYTHON, SERVER, Account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.systems import carrel
from tests.tutorial.examples import TUTORIAL, example

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.fixture
def server(public_directory: Path) -> list[str]:
    """A server's command that every account may run."""
    need(PYTHON.exists(), f"{PYTHON}")
    script = public_directory / "server.py"
    script.write_text(SERVER)
    script.chmod(0o644)
    return [str(PYTHON), str(script)]


def test_log_in_start_and_control_panel(tmp_path: Path, server: list[str], system_account: Account) -> None:
    name = system_account.name
    with HubProcess(carrel(), tmp_path, example("first-hub", tmp_path, command=server)) as hub:
        ada = hub.visitor()
        assert ada.log_in(name, "wrong").status == 403
        # Signing in starts the server and leads to it.
        assert ada.log_in(name, system_account.password).location.endswith("/hub/spawn")
        ada.follow("hub/spawn")
        hub.wait_server(name, hub.token(name))
        words = ada.follow("hub/spawn").text.split()
        assert words[:2] == [str(pwd.getpwnam(name).pw_uid), str(pwd.getpwnam(name).pw_gid)]
        assert ada.get("user/" + name + "/").status == 200
        panel = ada.get("hub/home")
        assert 'id="stop"' in panel.text
        stopped = ada.post_form(f"hub/stop/{name}", {"_xsrf": ada.xsrf_token(panel)})
        assert stopped.location
        until(lambda: "Start My Server" in ada.get("hub/home").text, "the server to stop")


def test_https_with_a_certificate_that_signs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need(shutil.which("openssl"), "openssl")
    script = TUTORIAL / "https" / "make-certificate.sh"
    subprocess.run([script, "localhost"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "hub.key").stat().st_mode & 0o77 == 0
    trust = ssl.create_default_context(cafile=str(tmp_path / "hub.crt"))
    trust.check_hostname = False
    # The port 443 of the example is not ours to take.
    port = "c.JupyterHub.port = int(os.environ['PUBLIC_PORT'])"
    hub = HubProcess(carrel(), tmp_path, example("https", tmp_path, "import os", port), trust=trust)
    monkeypatch.setenv("PUBLIC_PORT", str(hub.ports.public))
    with hub:
        page = hub.visitor().get("hub/login")
        assert page.status == 200
        assert "Secure" in page.headers["Set-Cookie"]
