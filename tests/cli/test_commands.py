"""The commands, called as functions with stand-ins for the application."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from carrel.authenticators.dummy import DummyAuthenticator
from carrel.cli.demo import DemoPlan, demo, demo_settings, free_ports
from carrel.cli.exits import Refused, explain
from carrel.cli.main import main
from carrel.cli.serve import serve
from carrel.cli.stop import stop
from carrel.cli.tokens import token
from carrel.config.arguments import BadArguments
from carrel.config.plugins import check_plugins
from carrel.config.schema import BadConfig, Problem, Settings
from carrel.domain.errors import NotFound
from carrel.lib.listen import CannotListen, PortInUse, bind_socket
from carrel.proxy.base import ProxyError
from carrel.proxy.embedded import CarrelProxy
from carrel.spawners.simple import SimpleLocalProcessSpawner
from carrel.storage.base import SchemaMismatch, StorageError

Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadArguments("x"), 2),
        (BadConfig([Problem("a", "x"), Problem("b", "y")]), 3),
        (PortInUse("127.0.0.1:1"), 5),
        (SchemaMismatch("x"), 6),
        (StorageError("x"), 6),
        (CannotListen("x"), 1),
        (ProxyError("x"), 1),
        (Refused("x"), 1),
        (RuntimeError("a\nb"), 1),
    ],
)
def test_every_error_has_its_code_and_lines(error: Exception, code: int) -> None:
    found, lines = explain(error)
    assert found == code
    assert lines
    assert not any("\n" in line for line in lines)


def test_serve_runs_the_hub_with_the_settings(capsys: Output) -> None:
    Path("jupyterhub_config.py").write_text("c.JupyterHub.port = 9000\nc.JupyterHub.upgrade_db = True")
    seen: list[Settings] = []

    def run_hub(settings: Settings) -> int:
        seen.append(settings)
        return 7

    assert serve([], run_hub) == 7
    assert seen[0].port == 9000
    log = capsys.readouterr().err
    assert "the configuration is jupyterhub_config.py" in log
    assert "jupyterhub_config.py:2: JupyterHub.upgrade_db: not used by this version" in log


def test_token_prints_the_token_alone(capsys: Output) -> None:
    asked: list[str] = []

    def issue(settings: Settings, name: str) -> str:
        asked.append(f"{name} {settings.db_url}")
        return "abc"

    assert token(["ada", "--db", "sqlite:///x"], issue) == 0
    assert token(["--db=sqlite:///x", "bob"], issue) == 0
    assert capsys.readouterr().out == "abc\nabc\n"
    assert asked == ["ada sqlite:///x", "bob sqlite:///x"]


def test_token_of_nobody() -> None:
    def issue(settings: Settings, name: str) -> str:
        raise NotFound(name)

    with pytest.raises(Refused, match=r"^No such user: ada$"):
        token(["ada"], issue)
    with pytest.raises(BadArguments, match="takes one name"):
        token(["ada", "bob"], issue)


@pytest.mark.parametrize(
    ("argv", "lines", "code"), [([], ["hub stopped"], 0), (["--all"], ["hub stopped", "all"], 0), ([], [], 4)]
)
def test_stop(argv: list[str], lines: list[str], code: int, capsys: Output) -> None:
    def stop_hub(settings: Settings, all_: bool) -> list[str]:
        assert all_ == ("--all" in argv)
        return lines

    assert stop(argv, stop_hub) == code
    assert capsys.readouterr().out.splitlines() == lines


def test_generate_config_refuses_to_overwrite(capsys: Output) -> None:
    Path("mine.py").write_text("x = 1")
    assert main(["--generate-config", "-f", "mine.py"]) == 1
    assert capsys.readouterr().err.startswith("carrel: mine.py exists: overwrite it with -y")
    assert Path("mine.py").read_text() == "x = 1"


def test_help_lists_commands_options_and_settings(capsys: Output) -> None:
    assert main(["--help"]) == 0
    short = capsys.readouterr().out
    assert "carrel demo" in short
    assert "--pid-file" in short
    assert main(["--help-all"]) == 0
    everything = capsys.readouterr().out
    assert "--JupyterHub.cleanup_servers (True, False or None; default: None)" in everything
    assert "--Carrel.runtime_dir (text; default: 'carrel-run')" in everything
    assert "--PAMAuthenticator.service (a text; default: 'login')\n    The PAM service" in everything
    assert "--Authenticator.allow_all (True or False; default: False)" in everything


def test_help_is_of_the_classes_that_the_configuration_chooses(capsys: Output) -> None:
    Path("jupyterhub_config.py").write_text(
        "from traitlets import Unicode\n"
        "from carrel.spawners.simple import SimpleLocalProcessSpawner\n"
        "class TentSpawner(SimpleLocalProcessSpawner):\n"
        "    canvas = Unicode('green', help='What colour.\\n\\nNot red.').tag(config=True)\n"
        "c.JupyterHub.spawner_class = TentSpawner\n"
    )
    assert main(["--help-all"]) == 0
    shown = capsys.readouterr().out
    assert "--TentSpawner.canvas (a text; default: 'green')\n    What colour.\n    Not red.\n" in shown
    assert "--SimpleLocalProcessSpawner.home_dir_template" in shown
    Path("jupyterhub_config.py").write_text("c.JupyterHub.spawner_class = 'dockr'")
    assert main(["--help-all"]) == 0
    told = capsys.readouterr()
    assert "did you mean 'docker'" in told.err
    assert "--Spawner.cmd" in told.out
    Path("jupyterhub_config.py").write_text("1 / 0")
    assert main(["--help-all"]) == 0
    assert "jupyterhub_config.py:1: ZeroDivisionError" in capsys.readouterr().err


def test_a_sample_has_the_classes_of_the_command_line(capsys: Output) -> None:
    assert main(["--generate-config", "--JupyterHub.spawner_class=simple", "-f", "mine.py"]) == 0
    assert "# c.SimpleLocalProcessSpawner.home_dir_template = " in Path("mine.py").read_text()
    assert main(["--generate-config"]) == 0
    assert "# c.LocalProcessSpawner.kill_timeout = 5" in Path("jupyterhub_config.py").read_text()


def test_show_config_shows_no_secret(capsys: Output) -> None:
    argv = [
        "--show-config",
        "--db=postgresql://ada:hunter2@db/hub",
        "--GitHub.client_secret=hunter3",
        "--port=9",
    ]
    assert main(argv) == 0
    shown = capsys.readouterr().out
    assert "hunter" not in shown
    assert "c.JupyterHub.port = 9\n" in shown
    assert "c.GitHub.client_secret = ***\n" in shown


def test_show_config_for_programs(capsys: Output) -> None:
    Path("jupyterhub_config.py").write_text(
        "c.JupyterHub.port = 9\n"
        "c.JupyterHub.cookie_secret = bytes(range(32))\n"
        "c.JupyterHub.services = [{'name': 'a', 'url': 'http://127.0.0.1:1', 'api_token': 'hunter2' * 5}]\n"
        "c.JupyterHub.db_url = 'postgresql://ada:hunter2@db/hub'\n"
        "c.Spawner.environment = {'AWS_SECRET_ACCESS_KEY': 'hunter2', 'LANG': 'C'}\n"
        "c.Spawner.pre_spawn_hook = lambda spawner: None\n"
        "c.Authenticator.allowed_users.add('ada')\n"
        "c.CryptKeeper.keys = ['0' * 64]\n"
        "c.DummyAuthenticator.password = 'hunter2'\n"
        "c.Spawner.cmd\n"
    )
    assert main(["--show-config-json"]) == 0
    out = capsys.readouterr().out
    assert "hunter2" not in out
    shown = json.loads(out)
    assert shown["JupyterHub"]["port"] == 9
    assert shown["JupyterHub"]["cookie_secret"] == "***"
    assert shown["JupyterHub"]["db_url"] == "postgresql://ada:***@db/hub"
    assert shown["Spawner"] == {
        "environment": {"AWS_SECRET_ACCESS_KEY": "***", "LANG": "C"},
        "pre_spawn_hook": "function <lambda>",
    }
    assert shown["Authenticator"] == {"allowed_users": {"update": ["ada"]}}
    assert shown["CryptKeeper"] == {"keys": "***"}


def test_all_problems_are_printed_without_a_traceback(capsys: Output) -> None:
    Path("jupyterhub_config.py").write_text("c.JupyterHub.admin_user = {}\nc.JupyterHub.hub_port = ''")
    assert main([]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "carrel: jupyterhub_config.py:1: JupyterHub.admin_user: no such setting, and one of this name would "
        "say who may do what: did you mean c.Authenticator.admin_users?",
        "carrel: jupyterhub_config.py:2: JupyterHub.hub_port: it must be a whole number, not the text ''",
    ]
    assert main(["--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["chekc-config", "mine.py"], "no command chekc-config; did you mean `carrel check-config`?"),
        (["stpo", "--all"], "there is no command stpo; did you mean `carrel stop`?"),
        (["Token", "ada"], "did you mean `carrel token`?"),
        (["mine.py"], "the configuration file mine.py: `carrel -f mine.py`"),
        (["zebra"], "there is no command zebra (`carrel --help`"),
        (["--prot=8001"], "did you mean --port?"),
        (["demo", "--prot", "8001"], "did you mean --port?"),
        (["-f", "nope.py"], "there is no file nope.py"),
    ],
)
def test_a_slip_on_the_command_line_is_told_what_was_meant(
    argv: list[str], said: str, capsys: Output
) -> None:
    Path("mine.py").write_text("c.JupyterHub.port = 9000")
    assert main(argv) != 0
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_demo_lives_in_its_directory_and_leaves_nothing(capsys: Output) -> None:
    seen: list[Settings] = []

    def run_hub(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
        assert on_ready is not None
        assert settings.directory.is_dir()
        (settings.directory / "run").mkdir()
        seen.append(settings)
        on_ready()
        return 0

    (port,) = free_ports(1)
    assert demo(["--port", str(port)], run_hub) == 0
    lines = capsys.readouterr().out.splitlines()
    password = seen[0].plugins.DummyAuthenticator.password
    assert lines[1:4] == ["Username: demo", f"Password: {password}", f"http://127.0.0.1:{port}"]
    assert len(password) >= 16
    assert "Ctrl-C" in lines[4]
    assert not seen[0].directory.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_stopped_early_cleans_up_too(number: signal.Signals) -> None:
    seen: list[Path] = []

    def run_hub(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
        seen.append(settings.directory)
        os.kill(os.getpid(), number)
        raise AssertionError("the signal came to nothing")

    assert demo(["--port", "0"], run_hub) == 0
    assert not seen[0].exists()


def test_a_demo_on_a_taken_port_makes_nothing() -> None:
    def run_hub(settings: Settings, on_ready: Callable[[], None] | None = None) -> int:
        raise AssertionError("it must not start")

    with bind_socket("127.0.0.1", 0) as listener, pytest.raises(PortInUse):
        demo(["--port", str(listener.getsockname()[1])], run_hub)


def test_a_demo_keeps_to_itself(tmp_path: Path) -> None:
    settings = demo_settings(DemoPlan(tmp_path, "127.0.0.1", 1, 2, 3, "demo", "secret"))
    paths = [settings.db_url.removeprefix("sqlite:///"), settings.cookie_secret_file, settings.runtime_dir]
    paths.append(settings.plugins.SimpleLocalProcessSpawner.home_dir_template)
    assert all(Path(path).is_relative_to(tmp_path) for path in paths)
    assert (settings.ip, settings.hub_ip) == ("127.0.0.1", "127.0.0.1")
    assert (settings.cleanup_servers, settings.cleanup_proxy) == (True, True)
    assert settings.plugins.Authenticator.allowed_users == {"demo"}
    assert check_plugins(settings, [DummyAuthenticator, SimpleLocalProcessSpawner, CarrelProxy]) == []
