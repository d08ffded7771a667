"""Somebody works in a notebook of the real JupyterHub's while Carrel takes over, and goes on working."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.compat.databases.old_hubs import ADMIN_TOKEN, common_config, must, old_hub
from tests.compat.databases.test_import import carrel_with_keys
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import JUPYTERHUB_5, JUPYTERHUB_6, PASSWORD, Singleuser
from tests.rigs.visitor import Reply

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

PAGE = "user/ada/lab"


@pytest.mark.parametrize(
    ("release", "singleuser"), [(6, JUPYTERHUB_6), (5, JUPYTERHUB_5)], ids=lambda value: str(value)[:12]
)
def test_an_open_notebook_stays_open(release: int, singleuser: Singleuser, tmp_path: Path) -> None:
    more = (
        "c.JupyterHub.spawner_class = 'simple'\n"
        f"c.Spawner.cmd = {list(singleuser.command())!r}\n"
        "c.Spawner.args = ['--allow-root']\n"
    )
    with old_hub(release, tmp_path, more) as old:
        must(old, "POST", "users/ada/server", {})
        old.wait_server("ada", ADMIN_TOKEN)
        # The oldest: a server asks other programs for their versions.
        pid = min(old.servers())
        browser = old.visitor()
        browser.log_in("ada", PASSWORD, "/hub/home")
        assert is_in(browser.follow(PAGE))
        assert old.terminate() == 0
        hub = HubProcess(carrel_with_keys(), tmp_path, common_config(tmp_path, release))
        hub.ports = old.ports
        assert hub.run("import-jupyterhub").returncode == 0
        with hub:
            # The cookie that the server signed, over a token that the other hub gave.
            # Nobody follows a redirect here. The routes are set a moment after the hub answers.
            until(lambda: is_in(browser.get(PAGE)), "the notebook to be where it was")
            assert processes.is_alive(pid)
            # Without it she is sent through the hub's log-in, where she is known.
            browser.cookies.clear(domain="127.0.0.1", path="/user/ada/")
            assert is_in(browser.follow(PAGE))
            stranger = hub.visitor()
            assert stranger.follow(PAGE).url.startswith(f"{hub.public_url}hub/login")


def is_in(page: Reply) -> bool:
    """Tell whether a page is the notebook's own, and not one about signing in."""
    return page.status == 200 and page.url.endswith(PAGE) and "jupyter-config-data" in page.text
