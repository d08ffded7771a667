"""A whole hub with pods of the stand-in for a cluster: what people see of it, from the start to the stop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.plugins.progress import steps
from tests.rigs.hub import HubProcess
from tests.rigs.kubernetes import Cluster
from tests.rigs.kubernetes_node import ABSENT
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.systems import carrel

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
#: As KubeSpawner has them.
PROFILES = [
    {"display_name": "Small", "slug": "small", "default": True},
    {"display_name": "Missing", "slug": "missing", "kubespawner_override": {"image": ABSENT}},
    {
        "display_name": "Own",
        "slug": "own",
        "kubespawner_override": {"mem_limit": "2G", "extra_labels": {"course": "statistics"}},
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {"plain": {"display_name": "Plain", "kubespawner_override": {"image": "plain:1"}}},
                "unlisted_choice": {
                    "enabled": True,
                    "validation_regex": "^course/.+:.+$",
                    "kubespawner_override": {"image": "{value}"},
                },
            }
        },
    },
]
CONFIG = f"""
c.JupyterHub.tornado_settings = {{'slow_spawn_timeout': 0}}
c.JupyterHub.spawner_class = 'kubernetes'
c.Spawner.cmd = None
c.KubeSpawner.image = 'plain:1'
c.KubeSpawner.poll_interval = 1
c.KubeSpawner.start_timeout = 30
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.storage_capacity = '1Gi'
c.KubeSpawner.profile_list = {PROFILES!r}
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[HubProcess]:
    directory = tmp_path_factory.mktemp("hub")
    system, config = carrel(), class_config(directory, STUB) + CONFIG
    environment = {**system.environment, "KUBECONFIG": str(cluster.configuration(directory))}
    with HubProcess(replace(system, environment=environment), directory, config) as hub:
        yield hub


def ask(hub: HubProcess, user: str, **options: Any) -> str:
    """Log in and ask for the user's server; return an API token at once."""
    assert hub.visitor().log_in(user, PASSWORD).location
    token = hub.token(user)
    asked = hub.api("POST", f"users/{user}/server", token=token, body=json.dumps(options).encode())
    assert asked.status in (201, 202), asked.text
    return token


def test_a_server_is_started_with_progress_used_stopped_and_deleted(
    hub: HubProcess, cluster: Cluster
) -> None:
    with cluster.slow_pull():
        token = ask(hub, "ada")
        said = []
        for step in steps(hub, "ada", token):
            said.append(step["message"])
            if "Pulling image" in step["message"]:
                break
    assert any("Successfully assigned jupyter-ada" in message for message in said)
    hub.wait_server("ada", token)
    assert re.fullmatch(r"ada \d+\n", hub.visitor().get("user/ada/page").text)
    assert token not in json.dumps(cluster.all("pods"))
    hub.stop_server("ada", token)
    assert "jupyter-ada" not in cluster.all("pods")
    assert "jupyter-ada" not in cluster.all("secrets")
    assert "claim-ada" in cluster.all("persistentvolumeclaims")
    hub.visitor().log_in("admin", PASSWORD)
    assert hub.api("DELETE", "users/ada", token=hub.token("admin")).status == 204
    until(lambda: "claim-ada" not in cluster.all("persistentvolumeclaims"), "the claim to be deleted")


def test_the_owner_is_told_what_is_wrong_with_an_image(hub: HubProcess, cluster: Cluster) -> None:
    token = ask(hub, "bea", profile="missing")
    last = list(steps(hub, "bea", token))[-1]
    assert last["failed"]
    assert f"could not be pulled ({ABSENT})" in last["message"]
    assert "jupyter-bea" not in cluster.all("pods")


def test_a_profile_of_kubespawners_list_sets_what_it_says(hub: HubProcess, cluster: Cluster) -> None:
    token = ask(hub, "gus", profile="own", image={"other": "course/lab:1"})
    hub.wait_server("gus", token)
    pod = cluster.all("pods")["jupyter-gus"]
    assert pod["spec"]["containers"][0]["image"] == "course/lab:1"
    assert pod["spec"]["containers"][0]["resources"]["limits"] == {"memory": str(2 * 1024**3)}
    assert pod["metadata"]["labels"]["course"] == "statistics"
    hub.stop_server("gus", token)


HOSTILE: tuple[dict[str, Any], ...] = (
    {"profile": "huge"},
    {"profile": "own", "image": {"other": "other/lab:1"}},
    {"profile": "own", "image": {"other": "course/lab:1; reboot"}},
    {"profile": "own", "image": {"other": "course/" + "x" * 1_000_000 + ":1"}},
    {"profile": "own", "image": {"other": "course/{username.__class__}:1"}},
)


def test_options_that_no_profile_has_are_refused(hub: HubProcess, cluster: Cluster) -> None:
    hub.visitor().log_in("eve", PASSWORD)
    token = hub.token("eve")
    for options in HOSTILE:
        asked = hub.api("POST", "users/eve/server", token=token, body=json.dumps(options).encode())
        if asked.status == 202:
            # What a profile's pattern lets through, the driver's setting does not.
            last = list(steps(hub, "eve", token))[-1]
            assert last["failed"]
            assert re.search(r"\bimage\b", last["message"])
        else:
            assert asked.status in (400, 413)
            assert re.search(r"\b(image|huge|large)\b", asked.text)
    assert "jupyter-eve" not in cluster.all("pods")


def test_a_server_out_of_memory_is_explained_and_its_pod_deleted(hub: HubProcess, cluster: Cluster) -> None:
    token = ask(hub, "carl")
    hub.wait_server("carl", token)
    cluster.run_out_of_memory("jupyter-carl")
    hub.wait_server("carl", token, running=False)
    visitor = hub.visitor()
    visitor.log_in("carl", PASSWORD)
    assert "ran out of memory" in visitor.follow("user/carl/").text
    until(lambda: "jupyter-carl" not in cluster.all("pods"), "the pod to be deleted")


def test_a_start_that_the_death_of_the_hub_cut_off_goes_on(hub: HubProcess, cluster: Cluster) -> None:
    with cluster.slow_pull():
        token = ask(hub, "dora")
        until(lambda: "jupyter-dora" in cluster.all("pods"), "the pod")
        hub.restart()
    hub.wait_server("dora", token)
    assert re.fullmatch(r"dora \d+\n", hub.visitor().get("user/dora/page").text)
    first = cluster.all("pods")["jupyter-dora"]["metadata"]["uid"]
    hub.restart()
    assert re.fullmatch(r"dora \d+\n", hub.visitor().get("user/dora/page").text)
    cluster.move("jupyter-dora")
    until(
        lambda: re.fullmatch(r"dora \d+\n", hub.visitor().get("user/dora/page").text),
        "the server at its new address",
    )
    assert cluster.all("pods")["jupyter-dora"]["metadata"]["uid"] == first
    hub.stop_server("dora", token)


def test_an_api_server_that_is_gone_for_a_while_ends_nothing(hub: HubProcess, cluster: Cluster) -> None:
    token = ask(hub, "emil")
    hub.wait_server("emil", token)
    asked = cluster.asked("GET", "watch=true")
    cluster.fail("GET", "watch", 500, count=5)
    cluster.break_watches()
    until(lambda: cluster.asked("GET", "watch=true") > asked + 2, "the watch to be tried again")
    hub.wait_server("emil", token)
    hub.stop_server("emil", token)
