"""Managed services as real processes of a real hub: how they start, and that there is always exactly one."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.poll import until
from tests.rigs.singleusers import STUB, class_config
from tests.rigs.systems import carrel, free_port

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PROGRAM = Path(__file__).parents[1] / "rigs" / "stub_service.py"


class Rig:
    """A hub with services that write down how they were started."""

    def __init__(self, directory: Path, reports: Path) -> None:
        self.reports = reports
        self.program = shutil.copy(PROGRAM, reports)
        self.directory = directory
        self.hub = HubProcess(carrel(), directory / "hub", "")

    def configure(self, *services: dict[str, Any], more: str = "") -> None:
        """Have these services, each of which runs the stub, from the next start of the hub on."""
        entries = [{"command": self.command(), **each} for each in services]
        config = class_config(self.directory, STUB) + f"c.JupyterHub.services = {entries!r}\n{more}"
        self.hub._config = config

    def command(self, *words: str) -> list[str]:
        return [sys.executable, str(self.program), str(self.reports), *words]

    def runs(self, name: str = "stub") -> list[dict[str, Any]]:
        """Return how each run of a service was started, those that live first to last."""
        found = [json.loads(path.read_text()) for path in self.reports.glob("*.json")]
        alive = set(processes.find(self._is_run))
        mine = [each for each in found if each["env"]["JUPYTERHUB_SERVICE_NAME"] == name]
        return [each for each in mine if each["pid"] in alive]

    def run(self, name: str = "stub") -> dict[str, Any]:
        """Return the one run of a service, once there is one."""
        [found] = until(lambda: self.runs(name), f"{name} to run")
        return found

    def _is_run(self, pid: int) -> bool:
        return bool(processes.environment(pid).get("CARREL_SERVICE"))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A hub that does not run yet; nothing of it is left afterwards."""
    # Other accounts cannot look into the directories of this one.
    with tempfile.TemporaryDirectory() as reports:
        Path(reports).chmod(0o777)
        rig = Rig(tmp_path, Path(reports))
        try:
            yield rig
        finally:
            rig.hub.clean_up()
            processes.end([run["pid"] for name in ("stub", "other") for run in rig.runs(name)])


def test_it_is_told_all_that_the_contract_says(rig: Rig) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    rig.configure(
        {
            "name": "stub",
            "url": url,
            "environment": {"MINE": "1", "JUPYTERHUB_HOST": "https://hub.example", "LANG": "x"},
            "oauth_client_allowed_scopes": ["read:users!user"],
        },
        {"name": "other", "api_token": "f" * 32, "cwd": "/"},
    )
    rig.hub.start()
    run = rig.run()
    scopes = ["access:services", "access:services!service=stub"]
    expected = {
        "JUPYTERHUB_SERVICE_NAME": "stub",
        "JUPYTERHUB_SERVICE_URL": url,
        "JUPYTERHUB_SERVICE_PREFIX": "/services/stub/",
        "JUPYTERHUB_CLIENT_ID": "service-stub",
        "JUPYTERHUB_API_URL": rig.hub.hub_api_url,
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_HOST": "https://hub.example",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": "/services/stub/oauth_callback",
        "MINE": "1",
        "LANG": "x",
    }
    assert {name: run["env"].get(name) for name in expected} == expected
    assert json.loads(run["env"]["JUPYTERHUB_OAUTH_ACCESS_SCOPES"]) == scopes
    assert json.loads(run["env"]["JUPYTERHUB_OAUTH_CLIENT_ALLOWED_SCOPES"]) == ["read:users!user"]
    assert run["cwd"] == str(rig.hub.directory)
    assert "JUPYTERHUB_ACTIVITY_URL" not in run["env"]
    assert "CARREL_RIG_DIRECTORY" not in run["env"]
    other = rig.run("other")
    assert (other["cwd"], other["env"]["JUPYTERHUB_API_TOKEN"]) == ("/", "f" * 32)
    assert "JUPYTERHUB_SERVICE_URL" not in other["env"]
    me = rig.hub.api("GET", "user", token=run["env"]["JUPYTERHUB_API_TOKEN"]).json()
    assert (me["kind"], me["name"]) == ("service", "stub")
    assert os.getsid(run["pid"]) == run["pid"]


def test_it_runs_as_another_account(rig: Rig) -> None:
    need(os.geteuid() == 0, "root")
    nobody = pwd.getpwnam("nobody")
    # Not the stub: others may not even read the Python that runs the tests.
    script = 'echo "$$ $(id -u) $USER $HOME" >"$1/draft" && mv "$1/draft" "$1/facts" && exec sleep 600'
    rig.configure({"name": "stub", "user": "nobody", "command": ["sh", "-c", script, "sh", str(rig.reports)]})
    rig.hub.start()
    facts = rig.reports / "facts"
    until(facts.exists, "the service to begin")
    pid, *rights = facts.read_text().split()
    assert rights == [str(nobody.pw_uid), "nobody", nobody.pw_dir]
    until(lambda: _known_pid(rig) == int(pid), "the process to be written down")
    rig.hub.restart()
    until(lambda: f"Service stub is still running as process {pid}" in rig.hub.log, "the adoption")
    rig.hub.terminate()
    assert not processes.is_alive(int(pid))


def test_it_is_started_again_whenever_it_ends_and_its_words_are_kept(rig: Rig) -> None:
    rig.configure({"name": "stub"}, {"name": "other", "command": rig.command("--ends")})
    rig.hub.start()
    first = rig.run()
    os.kill(first["pid"], signal.SIGKILL)
    second = until(lambda: [run for run in rig.runs() if run["pid"] != first["pid"]], "the next run")[0]
    assert second["env"]["JUPYTERHUB_API_TOKEN"] != first["env"]["JUPYTERHUB_API_TOKEN"]
    assert rig.hub.api("GET", "user", token=first["env"]["JUPYTERHUB_API_TOKEN"]).status == 403
    until(lambda: rig.hub.log.count("Service other has ended with status 3") >= 2, "two ends of the other")
    assert "Service stub was ended by signal 9" in rig.hub.log
    assert "Service other wrote: It is over, password=***" in rig.hub.log
    logs = rig.hub.directory / "carrel-run" / "services"
    until(lambda: any("It has begun" in path.read_text() for path in logs.glob("stub-*.log")), "its words")
    assert {path.stat().st_mode & 0o777 for path in logs.iterdir()} == {0o600}


def test_what_cannot_be_started_is_named_and_holds_nothing_up(rig: Rig) -> None:
    rig.configure(
        {"name": "a", "command": ["/no/such/program"]},
        {"name": "b", "user": "no-such-account"},
        {"name": "c", "cwd": "/no/such/place"},
        {"name": "stub"},
    )
    rig.hub.start()
    rig.run()
    for words in (
        "Service a cannot be started: The command /no/such/program does not exist",
        "Service b cannot be started: there is no account called no-such-account",
        "Service c cannot be started: No such file or directory: /no/such/place",
    ):
        until(lambda words=words: words in rig.hub.log, words)  # type: ignore[misc]


@pytest.mark.parametrize("end", ["terminate", "interrupt"])
def test_it_ends_with_the_hub(rig: Rig, end: str) -> None:
    rig.configure({"name": "stub"})
    rig.hub.start()
    rig.run()
    getattr(rig.hub, end)()
    assert rig.runs() == []


def test_a_hub_after_kill_9_goes_on_with_it(rig: Rig) -> None:
    rig.configure({"name": "stub"})
    rig.hub.start()
    run = rig.run()
    until(lambda: _known_pid(rig) == run["pid"], "the process to be written down")
    rig.hub.restart()
    until(lambda: f"Service stub is still running as process {run['pid']}" in rig.hub.log, "the adoption")
    assert rig.run()["pid"] == run["pid"]
    assert rig.hub.api("GET", "user", token=run["env"]["JUPYTERHUB_API_TOKEN"]).json()["name"] == "stub"
    os.kill(run["pid"], signal.SIGKILL)
    until(lambda: [each for each in rig.runs() if each["pid"] != run["pid"]], "the next run")
    rig.hub.terminate()
    assert rig.runs() == []


def test_a_hub_after_kill_9_ends_what_the_configuration_names_no_more(rig: Rig) -> None:
    rig.configure({"name": "stub"}, {"name": "other"})
    rig.hub.start()
    rig.run("other")
    stub = rig.run()
    rig.hub.kill9()
    rig.configure({"name": "other"})
    rig.hub.start()
    until(lambda: rig.runs() == [], "the service that is no more to end")
    assert f"Service stub is gone and its process {stub['pid']} still runs: ending it" in rig.hub.log
    assert rig.hub.api("GET", "user", token=stub["env"]["JUPYTERHUB_API_TOKEN"]).status == 403


@pytest.mark.parametrize("change", [{"environment": {"NEW": "1"}}, {"command": "another"}, None])
def test_a_hub_after_kill_9_does_not_go_on_with_what_is_to_be_otherwise(
    rig: Rig, change: dict[str, Any] | None
) -> None:
    rig.configure({"name": "stub"})
    rig.hub.start()
    run = rig.run()
    rig.hub.kill9()
    if change is None:
        # As when the hub was killed before it had written the process down.
        _forget_process(rig)
    elif "command" in change:
        rig.configure({"name": "stub", "command": rig.command("--another")})
    else:
        rig.configure({"name": "stub", **change})
    rig.hub.start()
    until(lambda: [each for each in rig.runs() if each["pid"] != run["pid"]], "the next run")
    assert [each for each in rig.runs() if each["pid"] == run["pid"]] == []


def _known_pid(rig: Rig) -> int:
    return int(_row(rig, "SELECT pid FROM services WHERE name = 'stub'"))


def _forget_process(rig: Rig) -> None:
    _row(rig, "UPDATE services SET pid = 0, start_time = '' RETURNING pid")


def _row(rig: Rig, statement: str) -> Any:
    with closing(sqlite3.connect(rig.hub.directory / "carrel.sqlite", timeout=10)) as connection:
        [(value,)] = connection.execute(statement).fetchall()
        connection.commit()
        return value
