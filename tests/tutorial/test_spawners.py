"""Custom spawners: forms for arguments, variables and a repository, each before a real process starts."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.rigs import processes
from tests.rigs.accounts import PYTHON, SERVER, Account
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.singleusers import CARREL
from tests.rigs.systems import carrel
from tests.rigs.visitor import Reply, Visitor
from tests.tutorial.examples import example

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

ALLOW = "c.Authenticator.allow_all = True"
ROOT = "c.Spawner.args = ['--allow-root']"


def signed_in(hub: HubProcess, name: str, password: str = "x") -> Visitor:
    visitor = hub.visitor()
    assert visitor.log_in(name, password, "/hub/home").location.endswith("/hub/home")
    return visitor


def send(visitor: Visitor, **fields: str) -> Reply:
    """Return the reply to the options form, filled in with `fields`."""
    form = visitor.follow("hub/spawn")
    return visitor.post_form("hub/spawn", {"_xsrf": visitor.xsrf_token(form), **fields})


def started(hub: HubProcess, name: str) -> int:
    """Return the process of a user's server, once it answers."""
    hub.wait_server(name, hub.token(name))
    return min(pid for pid in hub.servers() if processes.environment(pid).get("JUPYTERHUB_USER") == name)


def test_the_demo_form_spawner_as_printed(
    tmp_path: Path, system_account: Account, public_directory: Path
) -> None:
    need(PYTHON.exists(), f"{PYTHON}")
    script = public_directory / "server.py"
    script.write_text(SERVER)
    script.chmod(0o644)
    config = example("arguments", tmp_path, command=[str(PYTHON), str(script)])
    with HubProcess(carrel(), tmp_path, config) as hub:
        visitor = signed_in(hub, system_account.name, system_account.password)
        form = visitor.follow("hub/spawn").text
        assert '<label for="args">Extra notebook CLI arguments</label>' in form
        assert 'placeholder="e.g. --debug"' in form
        reply = send(visitor, args="--debug --note 'two words'")
        assert "/hub/spawn-pending/" in reply.location
        # What the overridden get_argv returns is what runs.
        words = processes.command_line(started(hub, system_account.name))
        assert words.endswith("server.py --debug --note two words")


def test_variables_of_the_environment(tmp_path: Path) -> None:
    with HubProcess(carrel(), tmp_path, example("environment", tmp_path, ALLOW)) as hub:
        ada = signed_in(hub, "ada")
        assert ">YOURNAME=ada</textarea>" in ada.follow("hub/spawn").text
        for text, said in {
            "JUPYTERHUB_API_TOKEN=mine": "JUPYTERHUB_API_TOKEN is set by the hub",
            "LD_PRELOAD=/tmp/x.so": "LD_PRELOAD is set by the hub",
            "PATH=/tmp": "PATH is set by the hub",
            "no sign": "is not NAME=value",
        }.items():
            reply = send(ada, variables=text)
            assert reply.status == 400
            assert said in reply.text
            # What was filled in is still there.
            assert text in reply.text
        assert "/hub/spawn-pending/" in send(ada, variables="GREETING=good day\r\n\r\nLDAP=1").location
        environment = processes.environment(started(hub, "ada"))
        assert (environment["GREETING"], environment["LDAP"]) == ("good day", "1")
        assert environment["JUPYTERHUB_USER"] == "ada"


def test_a_repository_is_there_when_the_server_opens(tmp_path: Path) -> None:
    origin = tmp_path / "origin" / "course.git"
    make_repository(origin)
    sources = f"c.RepositorySpawner.sources = ['file://{tmp_path}/origin/']"
    config = example("repository", tmp_path, ALLOW, sources)
    with HubProcess(carrel(), tmp_path, config) as hub:
        ada = signed_in(hub, "ada")
        refused = send(ada, repository="https://elsewhere.example/x")
        assert refused.status == 400
        assert "The repository must be at file://" in refused.text
        assert "/hub/spawn-pending/" in send(ada, repository=f"file://{origin}").location
        pid = started(hub, "ada")
        assert (tmp_path / "home" / "ada" / "course" / "lesson.txt").read_text() == "one\n"
        # The server itself took the shell's place.
        assert "stub_server" in processes.command_line(pid)
        grace = signed_in(hub, "grace")
        send(grace, repository=f"file://{tmp_path}/origin/none.git")

        def failed() -> str:
            page = grace.follow("hub/spawn-pending/grace")
            return page.text if page.status == 424 else ""

        # The user reads what git said.
        assert re.search(r"fatal: .*none\.git", until(failed, "the start to fail"))


def test_a_kernel_for_all_users(tmp_path: Path, system_kernel: str) -> None:
    config = example("environment", tmp_path, ALLOW, ROOT, command=CARREL.command())
    with HubProcess(carrel(), tmp_path, config) as hub:
        ada = signed_in(hub, "ada")
        send(ada, variables="")
        token = hub.token("ada")
        hub.wait_server("ada", token)
        found = hub.visitor().get("user/ada/api/kernelspecs", token=token).json()["kernelspecs"]
        assert found[system_kernel]["spec"]["display_name"] == "For everybody"
        assert "python3" in found


def make_repository(origin: Path) -> None:
    """Make a repository with one file at `origin`."""
    origin.mkdir(parents=True)
    (origin / "lesson.txt").write_text("one\n")
    author = {"GIT_CONFIG_GLOBAL": "/dev/null", "HOME": str(origin)}
    for words in (
        ["init", "-q"],
        ["add", "lesson.txt"],
        ["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", *words], cwd=origin, env=os.environ | author, check=True)
