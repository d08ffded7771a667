"""`carrel check-config`: what it prints, for people and programs, and how it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from carrel.cli.main import main

Output = pytest.CaptureFixture[str]
GOOD = """\
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "carrel-singleuser").touch(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


def write(text: str, name: str = "jupyterhub_config.py") -> None:
    Path(name).write_text(text)
    Path(name).chmod(0o600)


def check(capsys: Output, *argv: str) -> tuple[int, str]:
    status = main(["check-config", *argv])
    return status, capsys.readouterr().out


def test_a_good_configuration(capsys: Output) -> None:
    write(GOOD + "c.Spawner.start_timeout = 90\n")
    assert check(capsys, "--strict") == (
        0,
        """\
jupyterhub_config.py: the hub starts, and all is well

  public          http://127.0.0.1:8000/
  log-in          DummyAuthenticator
  admitted        everybody who proves who they are
  administrators  nobody
  servers         SimpleLocalProcessSpawner
  data plane      CarrelProxy
  database        sqlite:///carrel.sqlite

Settings (4)
  c.JupyterHub
    ip = '127.0.0.1'  (default '')
        jupyterhub_config.py:1: People reach the hub at 127.0.0.1, which only this machine reaches.
    authenticator_class = 'dummy'  (default 'pam')
        jupyterhub_config.py:2: People log in by DummyAuthenticator.
    spawner_class = 'simple'  (default 'localprocess')
        jupyterhub_config.py:3: Servers are started by SimpleLocalProcessSpawner.
  c.Spawner
    start_timeout = 90  (default 60)
        jupyterhub_config.py:4: A start may take 90 seconds.
""",
    )


def test_sections_that_are_always_read_have_an_effect(capsys: Output) -> None:
    write(
        GOOD
        + "c.Profiles.profiles = [{'id': 'small', 'title': 'Small'}, {'id': 'large', 'title': 'Large'}]\n"
        "c.Repositories.allowed = ['git.example.org']\n"
    )
    status, shown = check(capsys, "--strict")
    assert status == 0
    assert "no effect" not in shown
    assert "People choose among 2 kinds of servers." in shown


def test_sections_that_watch_the_hub_have_an_effect(capsys: Output) -> None:
    write(
        GOOD + "import logging\nc.EventLogger.handlers = [logging.NullHandler()]\n"
        "c.PeriodicMetricsCollector.event_loop_interval_resolution = 0.1\n"
    )
    status, shown = check(capsys, "--strict")
    assert status == 0
    assert "no effect" not in shown
    assert "a line for each start and stop" in shown


def test_mistakes_come_first_and_doubts_after(capsys: Output) -> None:
    write(
        GOOD + "c.JupyterHub.base_uri = '/x'\n"
        "c.Authenticator.allowed_user = {'ada'}\n"
        "c.JupyterHub.hub_ip = ''\n"
        "c.JupyterHub.confirm_no_ssl = True\n"
    )
    status, shown = check(capsys)
    assert status == 2
    assert shown.splitlines()[0] == "jupyterhub_config.py: the hub does not start, because of 1 mistake"
    kinds = [
        line.split()[0] for line in shown.splitlines() if line[:2] == "  " and "jupyterhub_config.py:" in line
    ]
    assert kinds[:4] == ["error", "unsafe", "deprecated", "unknown"]
    assert "  error       jupyterhub_config.py:5  c.Authenticator.allowed_user\n" in shown
    assert "did you mean allowed_users?" in shown
    assert "    allowed_user = {'ada'}  [unknown]\n" in shown


@pytest.mark.parametrize(
    ("text", "argv", "status"),
    [
        (GOOD, [], 0),
        (GOOD, ["--strict"], 0),
        (GOOD + "c.Spawner.zebra = 1", [], 0),
        (GOOD + "c.Spawner.zebra = 1", ["--strict"], 1),
        (GOOD + "c.JupyterHub.port = 'x'", [], 2),
        (GOOD + "c.JupyterHub.port = 'x'", ["--strict", "--json"], 2),
        ("1 / 0", [], 2),
        ("1 / 0", ["--json"], 2),
        (GOOD + "c.JupyterHub.spawner_class = 'systemd'", [], 2),
        (GOOD + "c.Authenticator.enable_auth_state = True", [], 2),
        (GOOD, ["--JupyterHub.port=x"], 2),
        (GOOD, ["missing.py"], 2),
    ],
)
def test_how_it_ends(text: str, argv: list[str], status: int, capsys: Output) -> None:
    write(text)
    assert check(capsys, *argv)[0] == status
    assert sorted(os.listdir()) == ["jupyterhub_config.py"], "nothing is written"


def test_for_programs(capsys: Output) -> None:
    write(
        "print('reading')\n"
        + GOOD
        + "c.JupyterHub.hub_ip = ''\nc.DummyAuthenticator.password = 'hunter2hunter2'\n"
        "c.JupyterHub.db_url = 'postgresql://ada:hunter2@nowhere.invalid/hub'\n",
        "mine.py",
    )
    status, shown = check(capsys, "mine.py", "--json")
    report = json.loads(shown)
    assert "hunter2" not in shown
    assert (status, report["file"], report["verdict"]) == (0, "mine.py", "warnings")
    assert report["summary"]["database"] == "postgresql://ada:***@nowhere.invalid/hub"
    (problem,) = report["problems"]
    assert {**problem, "message": ""} == {
        "setting": "JupyterHub.hub_ip",
        "message": "",
        "location": "mine.py:5",
        "fatal": False,
        "kind": "unsafe",
    }
    assert {
        "setting": "DummyAuthenticator.password",
        "value": "***",
        "default": "''",
        "location": "mine.py:6",
        "effect": "One password for everybody.",
        "marks": [],
    } in report["settings"]


def test_without_a_configuration_the_defaults_are_told(capsys: Output) -> None:
    status, shown = check(capsys)
    assert status == 0
    assert shown.startswith("No configuration file: the hub starts; ")
    assert "nobody can log in" in shown


@pytest.mark.parametrize("argv", [["a.py", "b.py"], ["a.py", "-f", "b.py"], ["--nonsense"]])
def test_a_command_line_that_makes_no_sense(argv: list[str], capsys: Output) -> None:
    assert main(["check-config", *argv]) == 2
    assert capsys.readouterr().err.startswith("carrel: ")


def test_a_file_that_does_not_exist_is_named(capsys: Output) -> None:
    status, shown = check(capsys, "nope.py")
    assert status == 2
    assert "there is no file nope.py" in shown


def test_it_explains_itself(capsys: Output) -> None:
    status, shown = check(capsys, "--help")
    assert status == 0
    assert shown.startswith("usage: carrel check-config")


def test_what_is_refused_is_not_said_to_happen(capsys: Output) -> None:
    write(GOOD + "c.Authenticator.admin_users = 'ada'\nc.JupyterHub.load_groups = {'g': 'ada'}\n")
    status, text = check(capsys)
    assert status == 2
    assert "a, a and d" not in text
    assert "Makes the groups" not in text
    assert text.count("nothing, as long as it is wrong") == 2


def test_settings_are_called_as_they_were_written(capsys: Output) -> None:
    write(GOOD + "c.Carrel.device_pools = {'gpu': 'two'}\n")
    _, text = check(capsys)
    assert "jupyterhub_config.py:4  c.Carrel.device_pools" in text
    assert "device_pools = {'gpu': 'two'}  [error]" in text
    assert "c.JupyterHub.device_pools" not in text


def test_a_directory_is_no_configuration(capsys: Output) -> None:
    Path("etc").mkdir()
    status, text = check(capsys, "etc")
    assert status == 2
    assert "etc is no file but a directory" in text


@pytest.mark.parametrize(
    "line",
    [
        "c.Repositories.allowed = ['https://ada:hunter2@git.example/x']",
        "c.Spawner.args = {'API_TOKEN': 'hunter2'}",
    ],
)
def test_a_refused_value_keeps_what_is_secret_in_it(capsys: Output, line: str) -> None:
    write(f"{GOOD}{line}\n")
    status, text = check(capsys)
    assert status == 2
    assert "it must be" in text
    assert "hunter2" not in text


def test_sizes_are_asked_for_as_sizes(capsys: Output) -> None:
    write(GOOD + "c.Spawner.mem_limit = '4 Gigs'\n")
    _, text = check(capsys)
    assert "it must be a size in bytes, such as 512M or 2G, not the text '4 Gigs'" in text
