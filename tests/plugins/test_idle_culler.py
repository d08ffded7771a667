"""jupyterhub-idle-culler, run by the hub with the rights that its documentation names, ends idle servers and
removes idle users, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.environment import PYTHON, carrel_with_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
PLUGIN = "jupyterhub-idle-culler"
BACK_END = "the hub's REST API"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubProcess]:
    """A hub that culls what was idle for three seconds, and asks for two users at a time."""
    options = ["--timeout=3", "--cull-every=1", "--api-page-size=2", "--cull-users=True"]
    command = [str(PYTHON), "-m", "jupyterhub_idle_culler", *options, "--cull-admin-users=False"]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers", "admin:users"]
    config = class_config(tmp_path, STUB) + (
        f"c.JupyterHub.services = [{{'name': 'culler', 'command': {command!r}}}]\n"
        f"c.JupyterHub.load_roles = [{{'name': 'cull', 'scopes': {scopes!r}, 'services': ['culler']}}]\n"
        # The culler looks at what was written, and this is an idle hub.
        "c.JupyterHub.activity_resolution = 1\n"
    )
    with HubProcess(carrel_with_plugins(), tmp_path, config) as hub:
        yield hub


def test_idle_servers_and_users_go_on_every_page_and_admins_stay(hub: HubProcess) -> None:
    """Servers of five users are started and culled, then the users; the admin stays."""
    boss = hub.visitor()
    assert boss.log_in("admin", PASSWORD).location
    token = hub.token("admin")
    names = [f"user{number}" for number in range(5)]
    for name in names:
        assert hub.visitor().log_in(name, PASSWORD).location
        assert hub.api("POST", f"users/{name}/server", token=token).status in (201, 202)

    def left() -> dict[str, Any]:
        return {user["name"]: user["servers"] for user in hub.api("GET", "users", token=token).json()}

    until(lambda: not any(left().values()), "all servers to be culled", 60)
    until(lambda: left().keys() == {"admin"}, "all users but the admin to be culled", 60)
