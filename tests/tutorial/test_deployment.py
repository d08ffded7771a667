"""The files to deploy a hub with: supervisor for real, the others as far as they can be looked at here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dataplane.authority import Authority
from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.rigs import processes
from tests.rigs.hub import MARK, HubProcess
from tests.rigs.needs import need
from tests.rigs.places import ROOT
from tests.rigs.poll import until
from tests.rigs.singleusers import STUB
from tests.rigs.systems import carrel
from tests.tutorial.examples import DEPLOY

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

HOW_TO = ROOT / "docs" / "how-to"
NGINX = """
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
access_log off;
{block}
}}
"""


class Supervisor:
    """A supervisord that runs the sample as it stands; only the hub's configuration is a test's."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        self.directory = hub.directory
        hub.write_config()
        shutil.copy(DEPLOY / "supervisor" / "supervisord.conf", self.directory)
        self.environment = os.environ | hub.system.environment | {MARK: str(self.directory)}
        self.process = subprocess.Popen(
            ["supervisord", "-n", "-c", "supervisord.conf"],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )

    def control(self, *words: str) -> str:
        """Return what supervisorctl says."""
        return subprocess.run(
            ["supervisorctl", "-c", "supervisord.conf", *words],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        ).stdout

    def pid(self) -> int:
        """Return the hub's process, 0 when it does not run."""
        said = self.control("pid", "jupyterhub").strip()
        return int(said) if said.isdigit() else 0

    def wait_state(self, state: str) -> None:
        until(lambda: state in self.control("status", "jupyterhub"), f"supervisor to say {state}")

    def log(self) -> str:
        return (self.directory / "supervisord.log").read_text()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    need(shutil.which("supervisord"), "supervisor")
    sample = DEPLOY / "supervisor" / "jupyterhub_config.py"
    config = f"""
address = c.JupyterHub.bind_url
load_subconfig({str(sample)!r})
c.JupyterHub.bind_url = address
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{tmp_path}/home/{{username}}"
c.Spawner.cmd = {list(STUB)!r}
"""
    (tmp_path / "home").mkdir()
    hub = HubProcess(carrel(), tmp_path, config)
    running = Supervisor(hub)
    try:
        yield running
    finally:
        running.stop()
        processes.end(hub.belongings())


def test_a_hub_under_supervisor_is_restarted_and_users_do_not_notice(supervisor: Supervisor) -> None:
    hub = supervisor.hub
    supervisor.wait_state("RUNNING")
    until(hub.answers, "the hub to answer")
    ada = hub.visitor()
    ada.log_in("ada", "x", "/hub/home")
    token = hub.token("ada")
    assert hub.api("POST", "users/ada/server", token=token).status in {201, 202}
    hub.wait_server("ada", token)
    page, first = ada.get("user/ada/").text, supervisor.pid()
    assert supervisor.control("restart", "jupyterhub").endswith("jupyterhub: started\n")
    until(hub.answers, "the hub to answer again")
    assert supervisor.pid() != first
    # The same process of hers answers, through the same data plane, and she is still signed in.
    assert ada.get("user/ada/").text == page
    assert 'id="stop"' in ada.get("hub/home").text
    # It ends as supervisor expects: no restart, status 0.
    supervisor.control("stop", "jupyterhub")
    assert re.search(r"stopped: jupyterhub \(exit status 0\)", supervisor.log())
    assert ada.get("user/ada/").text == page


def test_a_killed_hub_is_started_again(supervisor: Supervisor) -> None:
    hub = supervisor.hub
    supervisor.wait_state("RUNNING")
    until(hub.answers, "the hub to answer")
    first = supervisor.pid()
    os.kill(first, 9)
    until(lambda: supervisor.pid() not in {0, first}, "supervisor to start another hub")
    until(hub.answers, "the hub to answer again")


def test_a_wrong_configuration_is_not_tried_for_ever(supervisor: Supervisor) -> None:
    supervisor.wait_state("RUNNING")
    supervisor.hub.config_file.write_text("c.JupyterHub.port = 'none'\n")
    supervisor.control("restart", "jupyterhub")
    supervisor.wait_state("FATAL")
    assert "jupyterhub_config.py:1: JupyterHub.port" in (supervisor.directory / "jupyterhub.log").read_text()


def test_the_unit_for_systemd(tmp_path: Path) -> None:
    need(shutil.which("systemd-analyze"), "systemd-analyze")
    unit = (DEPLOY / "systemd" / "carrel.service").read_text()
    assert f"```ini\n{unit}```" in (HOW_TO / "service.md").read_text()
    program = tmp_path / "carrel"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    file = tmp_path / "carrel.service"
    unit = unit.replace("/opt/carrel/bin/carrel", str(program)).replace("/srv/carrel", str(tmp_path))
    file.write_text(unit)
    words = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(file)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "carrel.service" not in said.stderr
    # It does look: a line that systemd does not know is named.
    file.write_text(unit.replace("KillMode", "KillMood"))
    wrong = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "KillMood" in wrong.stderr


def test_the_block_for_nginx(tmp_path: Path) -> None:
    program = shutil.which("nginx", path="/usr/local/sbin:/usr/sbin:/usr/bin")
    need(program, "nginx")
    assert program is not None
    block = (DEPLOY / "nginx" / "hub.conf").read_text()
    # What is tried against a real nginx elsewhere is what stands here.
    assert block.partition("location / {\n        proxy_pass")[2] in (HOW_TO / "https.md").read_text()
    made = Authority(tmp_path).sign("hub")
    live = "/etc/letsencrypt/live/hub.example.org"
    for shown, used in ((f"{live}/fullchain.pem", made.cert), (f"{live}/privkey.pem", made.key)):
        assert block.count(shown) == 1
        block = block.replace(shown, str(used))
    file = tmp_path / "nginx.conf"
    file.write_text(NGINX.format(directory=tmp_path, block=block))
    words = [program, "-t", "-c", str(file), "-p", str(tmp_path)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr


def compose() -> Any:
    return yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())


def test_the_files_for_compose() -> None:
    project = compose()
    hub = project["services"]["hub"]
    assert set(hub["networks"]) == set(project["networks"])
    mounted = [place.partition(":")[0] for place in hub["volumes"]]
    assert mounted == ["/var/run/docker.sock", "./jupyterhub_config.py", *project["volumes"]]
    # The name by which containers find the network is the one that the configuration is told.
    assert project["networks"]["hub-network"]["name"] == hub["environment"]["DOCKER_NETWORK_NAME"]
    lines = (DEPLOY / "compose" / "Dockerfile").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["FROM", "RUN", "WORKDIR", "CMD"]


def test_the_hub_of_compose_reads_its_configuration(tmp_path: Path) -> None:
    need_plugins()
    system = carrel_with_plugins()
    shown = subprocess.run(
        [*system.command, "--show-config", "-f", str(DEPLOY / "compose" / "jupyterhub_config.py")],
        cwd=tmp_path,
        env=os.environ | dict(system.environment) | compose()["services"]["hub"]["environment"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "c.JupyterHub.hub_connect_ip = 'hub'" in shown.stdout
    assert "no effect" not in shown.stderr
