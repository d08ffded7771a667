"""Files that a configuration is made of: which are read, how people write them, and what of them fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.config.arguments import BadArguments
from carrel.config.load import load
from carrel.config.schema import BadConfig
from tests.config.test_load_settings import problems, read


def test_a_part_is_found_beside_its_file_or_in_the_working_directory(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "main.py").write_text("load_subconfig('beside.py')\nload_subconfig('here.py')")
    (etc / "beside.py").write_text("c.JupyterHub.port = 9000")
    (tmp_path / "here.py").write_text("\nc.JupyterHub.hub_port = 9001")
    settings = load(["-f", "etc/main.py"], tmp_path, {}).settings
    assert (settings.port, settings.hub_port, settings.config_file) == (9000, 9001, "etc/main.py")
    assert settings.locations["JupyterHub.hub_port"] == "here.py:2"


def test_json(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{\n "JupyterHub": {\n  "port": 9000},\n "Spawner": {"cmd": ["x"]}}')
    settings = load(["-f", "c.json"], tmp_path, {}).settings
    assert (settings.port, settings.plugins.Spawner.cmd) == (9000, ["x"])
    (tmp_path / "c.json").write_text('{\n "JupyterHub": {\n  "port": "x"}}')
    with pytest.raises(BadConfig, match=r"c\.json:3: JupyterHub.port"):
        load(["-f", "c.json"], tmp_path, {})
    (tmp_path / "c.json").write_text("{\n x")
    with pytest.raises(BadConfig, match=r"c\.json:2: not JSON"):
        load(["-f", "c.json"], tmp_path, {})


def test_which_file_is_read(tmp_path: Path) -> None:
    assert load([], tmp_path, {}).settings.config_file == ""
    (tmp_path / "carrel_config.py").write_text("c.JupyterHub.port = 1")
    assert load([], tmp_path, {}).settings.port == 1
    (tmp_path / "jupyterhub_config.py").write_text("c.JupyterHub.port = 2")
    both = load([], tmp_path, {})
    assert both.settings.port == 1
    assert "carrel_config.py is used; jupyterhub_config.py beside it is not read" in str(both.warnings[0])
    assert load(["--JupyterHub.config_file=jupyterhub_config.py"], tmp_path, {}).settings.port == 2
    assert load(["-f", "jupyterhub_config"], tmp_path, {}).settings.port == 2
    with pytest.raises(BadConfig, match=r"there is no file nothing\.py"):
        load(["-f", "nothing.py"], tmp_path, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\nc.JupyterHub.port = = 2", "jupyterhub_config.py:2: SyntaxError: invalid syntax"),
        (
            "import os\nos.environ['NO_SUCH_NAME']",
            "jupyterhub_config.py:2: the environment variable NO_SUCH_NAME is",
        ),
        ("{}['NO_SUCH_NAME']", "jupyterhub_config.py:1: KeyError: 'NO_SUCH_NAME'"),
        ("c.Spawner.environment['A'] = 'b'", "jupyterhub_config.py:1: TypeError"),
        ("c.JupyterHub.services.remove(1)", "jupyterhub_config.py:1: AttributeError"),
        ("exit(3)", "jupyterhub_config.py:1: SystemExit: 3"),
        ("def f():\n    raise ValueError('a\\nb')\nf()", "jupyterhub_config.py:2: ValueError: a b"),
        ("import no_such_module", "jupyterhub_config.py:1: ModuleNotFoundError"),
        (
            "from kubespawner import KubeSpawner",
            "jupyterhub_config.py:1: ModuleNotFoundError: No module named 'kubespawner' (pip install jup",
        ),
        ("raise SystemExit('bye')", "jupyterhub_config.py:1: SystemExit: bye"),
        ("c.JupyterHub = 5", "jupyterhub_config.py:1: ValueError"),
    ],
)
def test_a_file_that_fails_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    (found,) = problems(tmp_path, text)
    assert str(found).startswith(expected)
    assert "\n" not in str(found)


def test_a_part_that_fails_has_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("\n\n1 / 0")
    (found,) = problems(tmp_path, "load_subconfig('part.py')")
    assert str(found) == "part.py:3: ZeroDivisionError: division by zero"


def test_an_option_that_has_a_longer_name_is_told_it(tmp_path: Path) -> None:
    with pytest.raises(BadArguments, match=r"did you mean --JupyterHub\.hub_ip\?"):
        load(["--hub-ip=127.0.0.1"], tmp_path, {})


def test_items_on_the_command_line_are_added_to_those_of_the_file(tmp_path: Path) -> None:
    text = "c.Spawner.environment = {'A': 'b'}"
    plugins = read(tmp_path, text, "--Spawner.environment.C=d=e").settings.plugins
    assert plugins.Spawner.environment == {"A": "b", "C": "d=e"}


def test_json_beside_a_file_wins_over_it(tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_config.json").write_text('{"JupyterHub": {"port": 2}, "Spawner": {"cmd": ["x"]}}')
    settings = read(tmp_path, "c.JupyterHub.port = 1\nc.JupyterHub.ip = '10.0.0.1'").settings
    assert (settings.port, settings.ip, settings.plugins.Spawner.cmd) == (2, "10.0.0.1", ["x"])
    assert settings.locations["JupyterHub.port"] == "jupyterhub_config.json:1"
    (tmp_path / "jupyterhub_config.py").unlink()
    assert load([], tmp_path, {}).settings.port == 2


def test_what_a_file_prints_stays_out_of_what_a_command_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    read(tmp_path, "print('reading')")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "reading\n")


def test_what_configurations_do_beside_setting(tmp_path: Path) -> None:
    """Idioms of real files: helpers beside the file, the file's own name, parts in directories, classes."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (tmp_path / "campus_helpers.py").write_text("PORT = 9000\n")
    (parts / "spawn.py").write_text("c.Spawner.args.append('--b')\nload_subconfig('deep.py')\n")
    (parts / "deep.py").write_text("c = get_config()\nc.Spawner.args.append('--c')\n")
    text = """
import os, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from campus_helpers import PORT
c = get_config()
c.Spawner.args.prepend(['--a'])
load_subconfig('parts/spawn.py')
c.JupyterHub.port = PORT
c['JupyterHub'].update({'ip': '10.0.0.1'})
for name in ('ada', 'bob'):
    c.Authenticator.allowed_users.add(name)
c.DockerSpawner.volumes.update({'a': 'b'})
c.DockerSpawner.volumes.update({'c': 'd'})
if c.JupyterHub.get('port') == 9000:
    c.JupyterHub.template_vars = {'port': 9000}
class Named:
    pass
c.JupyterHub.spawner_class = Named
sys.path.pop(0)
"""
    settings = read(tmp_path, text).settings
    assert (settings.port, settings.ip, settings.template_vars) == (9000, "10.0.0.1", {"port": 9000})
    assert settings.plugins.Spawner.args.get_value(["default"]) == ["--a", "default", "--b", "--c"]
    assert settings.plugins.Authenticator.allowed_users.get_value(set()) == {"ada", "bob"}
    assert settings.plugins.DockerSpawner.volumes.get_value({}) == {"a": "b", "c": "d"}
    assert settings.spawner_class.__name__ == "Named"
    assert settings.locations["Spawner.args"] == "parts/deep.py:2"
