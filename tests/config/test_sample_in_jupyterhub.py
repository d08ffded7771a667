"""The sample that Carrel writes is a configuration of JupyterHub's, too, as far as both have the settings."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from carrel.cli.main import main
from tests.rigs.needs import need
from tests.rigs.systems import JUPYTERHUB

pytestmark = pytest.mark.real

#: Where decision 5 has another default, which JupyterHub's own trait does not take.
OTHER_DEFAULTS = {"cleanup_servers", "cleanup_proxy", "proxy_class", "cookie_secret"}
READ = """
import json, sys
from jupyterhub.app import JupyterHub
app = JupyterHub()
app.load_config_file(sys.argv[1])
shown = {}
for name in app.trait_names(config=True):
    try:
        shown[name] = repr(getattr(app, name))
    except Exception as error:
        shown[name] = f"error: {error}"
print(json.dumps(shown))
"""


def test_jupyterhub_reads_the_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = JUPYTERHUB / "bin" / "python"
    need(python.exists(), "JupyterHub 6")
    monkeypatch.chdir(tmp_path)
    assert main(["--generate-config"]) == 0
    file = tmp_path / "jupyterhub_config.py"
    settings = re.findall(r"^# (c\.JupyterHub\.(\w+) = .*)$", file.read_text(), flags=re.MULTILINE)
    assert len(settings) > 60
    used = [line for line, name in settings if name not in OTHER_DEFAULTS]
    file.write_text(file.read_text() + "\n".join(used) + "\n")
    done = subprocess.run(
        [str(python), "-c", READ, str(file)], capture_output=True, text=True, check=False, timeout=50
    )
    assert done.returncode == 0, done.stderr
    assert "not recognized" not in done.stderr
    values = json.loads(done.stdout.splitlines()[-1])
    assert [name for _, name in settings if values[name].startswith("error")] == []
    assert values["hub_port"] == "8081"
