"""Containers: DockerSpawner on a real engine, the hub where they find it, and a form to choose the image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.rigs.docker_engine import IMAGE, OTHER_IMAGE, Engine, docker_engine
from tests.rigs.hub import HubProcess
from tests.tutorial.examples import example

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

#: No registry is asked: the image is one that the tests made, and people sign in without GitHub.
HERE = (
    "c.JupyterHub.authenticator_class = 'dummy'",
    f"c.DockerSpawner.image = {IMAGE!r}",
    "c.DockerSpawner.extra_host_config = {'init': True}",
    # What the image runs, not what other tests run.
    "del c.Spawner.cmd",
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    need_plugins()
    with docker_engine() as engine:
        yield engine


def hub_in(directory: Path, engine: Engine, config: str) -> HubProcess:
    """Return a hub whose servers are containers of the engine."""
    plain = carrel_with_plugins()
    more = {"DOCKER_HOST": engine.socket, "HUB_INTERFACE": engine.interface}
    return HubProcess(replace(plain, config="", environment={**plain.environment, **more}), directory, config)


def test_a_container_for_everybody_on_the_list(tmp_path: Path, engine: Engine) -> None:
    with hub_in(tmp_path, engine, example("docker", tmp_path, *HERE)) as hub:
        assert hub.visitor().log_in("eve", "x").status == 403
        minrk = hub.visitor()
        minrk.log_in("minrk", "x", "/hub/home")
        token = hub.token("minrk")
        minrk.follow("hub/spawn")
        hub.wait_server("minrk", token)
        assert engine.containers() == ["jupyter-minrk"]
        # The server in the container asks the hub who this is.
        minrk.follow("user/minrk/files/")
        assert minrk.get("user/minrk/api/me").json()["identity"]["username"] == "minrk"
        assert hub.api("DELETE", "users/minrk/server", token=token).status in {202, 204}
        hub.wait_server("minrk", token, running=False)
        # `remove` is set.
        assert engine.containers() == []


def test_users_choose_an_image_of_the_list(tmp_path: Path, engine: Engine) -> None:
    address = f"c.JupyterHub.hub_connect_ip = {engine.address!r}"
    config = example("docker-images", tmp_path, *HERE, address, "c.Authenticator.allow_all = True")
    engine.run("tag", OTHER_IMAGE, "quay.io/jupyter/scipy-notebook")
    with hub_in(tmp_path, engine, config) as hub:
        ada = hub.visitor()
        ada.log_in("ada", "x", "/hub/home")
        form = ada.follow("hub/spawn")
        assert '<option value="quay.io/jupyter/scipy-notebook">Scientific Python</option>' in form.text
        fields = {"_xsrf": ada.xsrf_token(form)}
        refused = ada.post_form("hub/spawn", {**fields, "notebook": IMAGE})
        assert refused.status == 400
        assert "There is no image" in refused.text
        assert ada.post_form("hub/spawn", {**fields, "notebook": "quay.io/jupyter/scipy-notebook"}).location
        hub.wait_server("ada", hub.token("ada"))
        chosen = engine.inspect("jupyter-ada")["Config"]["Image"]
        assert chosen.startswith("quay.io/jupyter/scipy-notebook")
