"""A hub that is told to give up after so many failed starts does, and leaves everything else running."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rigs.hub import HubProcess
from tests.rigs.singleusers import PASSWORD
from tests.rigs.systems import under_test

pytestmark = pytest.mark.real

CONFIG = f"""
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{'admin'}}
c.JupyterHub.spawner_class = 'simple'
c.Spawner.cmd = ['/bin/false']
c.Spawner.consecutive_failure_limit = 2
"""


def test_the_hub_ends_with_status_one_and_its_data_plane_goes_on(tmp_path: Path) -> None:
    with HubProcess(under_test(), tmp_path, CONFIG) as hub:
        hub.visitor().log_in("admin", PASSWORD, "/hub/home")
        token = hub.token("admin")
        for _ in range(2):
            assert hub.api("POST", "users/admin/server", token=token).status == 500
        assert hub.wait(timeout=30) == 1
        assert "2 starts have failed in a row: the hub stops" in hub.log
        assert hub.proxies()
