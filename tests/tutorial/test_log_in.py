"""Custom authenticators: by name, from a dictionary, by salted hashes; who may come in or administrate."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.systems import carrel
from tests.tutorial.examples import TUTORIAL, example

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@contextmanager
def running(name: str, directory: Path, *more: str) -> Iterator[HubProcess]:
    with HubProcess(carrel(), directory, example(name, directory, *more)) as hub:
        yield hub


def outcomes(hub: HubProcess, *tries: tuple[str, str]) -> list[int]:
    """Return the status of each log-in, of a new visitor each."""
    return [hub.visitor().log_in(name, password, "/hub/home").status for name, password in tries]


def test_the_super_secure_authenticator(tmp_path: Path) -> None:
    with running("super-secure", tmp_path) as hub:
        tries = [("ada", "ada"), ("ada", "bea"), ("Ada", "Ada"), ("ada", "")]
        assert outcomes(hub, *tries) == [302, 403, 302, 403]
        ada = hub.visitor()
        ada.log_in("ada", "ada", "/hub/home")
        # The control panel, the start, and the server's own page.
        assert "Start My Server" in ada.get("hub/home").text
        token = hub.token("ada")
        assert ada.follow("hub/spawn").status == 200
        hub.wait_server("ada", token)
        assert ada.get("user/ada/").text.startswith("ada ")
        assert 'id="stop"' in ada.get("hub/home").text


def test_as_it_was_printed_it_admits_nobody_and_says_why(tmp_path: Path) -> None:
    """The tutorial's authenticator has no allow rule, of which there had to be none before JupyterHub 5."""
    with running("super-secure", tmp_path, "c.Authenticator.allow_all = False") as hub:
        page = hub.visitor().get("hub/login").text
        assert "c.Authenticator.allow_all = True" in page
        refused = hub.visitor().log_in("ada", "ada")
        assert refused.status == 403
        assert "c.Authenticator.allow_all = True" in refused.text
        assert "No allow rule: " in hub.log


def test_passwords_from_a_dictionary(tmp_path: Path) -> None:
    with running("dictionary", tmp_path) as hub:
        tries = [
            ("ada", "analytical engine"),
            ("grace", "flow-matic"),
            ("ada", "flow-matic"),
            ("eve", "analytical engine"),
            ("eve", ""),
        ]
        assert outcomes(hub, *tries) == [302, 302, 403, 403, 403]
        assert "flow-matic" not in hub.log


def test_salted_hashes_in_a_file(tmp_path: Path) -> None:
    with HubProcess(carrel(), tmp_path, example("hashed", tmp_path)) as hub:
        assert outcomes(hub, ("ada", "pässword")) == [403]
        add_user(tmp_path, "ada", "pässword")
        assert outcomes(hub, ("ada", "pässword"), ("ada", "password"), ("eve", "pässword")) == [302, 403, 403]
        # Whoever is added may come at once.
        add_user(tmp_path, "grace", "another")
        assert outcomes(hub, ("grace", "another"), ("eve", "another")) == [302, 403]
    file = tmp_path / "passwords.json"
    hashes = json.loads(file.read_text())
    assert set(hashes) == {"ada", "grace"}
    assert all(re.fullmatch(r"sha512:16384:[0-9a-f]{16}:[0-9a-f]{128}", each) for each in hashes.values())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "pässword" not in file.read_text() + hub.log


def add_user(directory: Path, name: str, password: str) -> None:
    command = [*carrel().command, "python", str(TUTORIAL / "hashed" / "add_user.py"), name]
    subprocess.run(command, cwd=directory, input=f"{password}\n", text=True, check=True)


def test_the_hashing_functions_as_printed(tmp_path: Path) -> None:
    lines = (
        "from jupyterhub.utils import hash_token, compare_token\n"
        "made = hash_token('mypassword')\n"
        "print(made)\n"
        "print(compare_token(made, 'mypassword'), compare_token(made, 'mypasswort'))\n"
    )
    said = subprocess.run(
        [*carrel().command, "python", "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    made, compared = said.stdout.splitlines()
    assert re.fullmatch(r"sha512:16384:[0-9a-f]{16}:[0-9a-f]{128}", made)
    assert compared == "True False"


def test_a_set_of_users_and_one_of_administrators(tmp_path: Path) -> None:
    with running("users", tmp_path, "c.JupyterHub.authenticator_class = 'dummy'") as hub:
        # Names are compared without regard to case, and an administrator need not be on the other list.
        tries = [("minrk", "x"), ("Takluyver", "x"), ("grace", "x"), ("eve", "x")]
        assert outcomes(hub, *tries) == [302, 302, 302, 403]
        assert re.search(r"whitelist\b.*\ballowed_users\b", hub.log)
        grace, minrk = hub.visitor(), hub.visitor()
        grace.log_in("grace", "x", "/hub/home")
        minrk.log_in("minrk", "x", "/hub/home")
        assert (grace.get("hub/admin").status, minrk.get("hub/admin").status) == (200, 403)
        assert hub.api("GET", "users", token=hub.token("grace")).status == 200
