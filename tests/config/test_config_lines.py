"""The line at which a configuration sets something, found in its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.config.lines import find_lines


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("c.Spawner.cmd = ['x']", "Spawner.cmd", 1),
        ("c.Spawner.cmd = ['x']\nc.Spawner.cmd = ['y']", "Spawner.cmd", 2),
        ("c['Spawner']['cmd'] = ['x']", "Spawner.cmd", 1),
        ("config = get_config()\nconfig.Spawner.cmd = ['x']", "Spawner.cmd", 2),
        ("c.Spawner.args.append('x')", "Spawner.args", 1),
        ("c.Spawner.environment.update(\n    {'A': 'b'}\n)", "Spawner.environment", 1),
        ("c.Spawner.update(\n    {\n        'cmd': ['x'],\n    }\n)", "Spawner.cmd", 3),
        ("c['Spawner'].update({'cmd': ['x']})", "Spawner.cmd", 1),
        ("c.Spawner.update(cmd=['x'])", "Spawner.cmd", 1),
        ("c.update({'Spawner': {\n'cmd': ['x']}})", "Spawner.cmd", 2),
        ("c.merge({'Spawner': {'cmd': ['x']}})", "Spawner.cmd", 1),
        ("s = c.Spawner\ns.cmd = ['x']", "Spawner.cmd", 2),
        ("setattr(c.Spawner, 'cmd', ['x'])", "Spawner.cmd", 1),
        ("if True:\n    c.Spawner.cmd: list = ['x']", "Spawner.cmd", 2),
        ("c.JupyterHub.ip = c.JupyterHub.hub_ip = ''", "JupyterHub.hub_ip", 1),
        ("c.JupyterHub.services += [{}]", "JupyterHub.services", 1),
        ("c.allowed_users = {'ada'}", "allowed_users", 1),
        ("c.authenticator.allowed_users = {'ada'}", "authenticator.allowed_users", 1),
    ],
)
def test_a_line_is_found(tmp_path: Path, text: str, name: str, line: int) -> None:
    path = tmp_path / "hub.py"
    path.write_text(text)
    assert find_lines([path], tmp_path)[name] == f"hub.py:{line}"


def test_other_names_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "hub.py"
    path.write_text(
        "import os\nos.environ.update({'A': 'b'})\nclass X:\n    y = 1\nX.y = 2\nx = {}\nx.update(a=1)\n"
    )
    assert set(find_lines([path], tmp_path)) <= {"X.y"}
