"""kubespawner starts, follows and deletes pods at an API server that stands in for Kubernetes: real lists and
watches, manifests valid by Kubernetes' schemas, pods that are local processes with addresses of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.plugins.progress import steps
from tests.rigs.hub import HubProcess
from tests.rigs.kubernetes import Cluster, running_cluster
from tests.rigs.kubernetes_node import ABSENT
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB, class_config
from tests.rigs.visitor import Visitor

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]
PLUGIN = "jupyterhub-kubespawner"
BACK_END = "a stand-in for the Kubernetes API; no cluster was to be had"
NOTES = ("KubeIngressProxy is imported, not run.",)

PROFILES = [
    {"display_name": "Small", "slug": "small", "default": True},
    {
        "display_name": "Large",
        "slug": "large",
        "kubespawner_override": {"mem_limit": "2G", "environment": {"COURSE": "statistics"}},
        "profile_options": {
            "image": {
                "display_name": "Image",
                "choices": {
                    "plain": {
                        "display_name": "Plain",
                        "default": True,
                        "kubespawner_override": {"image": "plain:1"},
                    },
                    "maths": {"display_name": "Maths", "kubespawner_override": {"image": "maths:1"}},
                },
            }
        },
    },
    {
        "display_name": "Missing",
        "slug": "missing",
        "kubespawner_override": {"image": ABSENT, "start_timeout": 3},
    },
]
VOLUME = {"name": "home", "persistentVolumeClaim": {"claimName": "claim-{user_server}"}}
CONFIG = f"""
c.JupyterHub.spawner_class = 'kubespawner.KubeSpawner'
c.Spawner.cmd = None
c.KubeSpawner.image = 'plain:1'
c.KubeSpawner.storage_pvc_ensure = True
c.KubeSpawner.pvc_name_template = 'claim-{{user_server}}'
c.KubeSpawner.storage_capacity = '1Gi'
c.KubeSpawner.volumes = [{VOLUME!r}]
c.KubeSpawner.volume_mounts = [{{'name': 'home', 'mountPath': '/home/jovyan'}}]
c.KubeSpawner.profile_list = {PROFILES!r}
c.KubeSpawner.poll_interval = 1
c.KubeSpawner.start_timeout = 20
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with running_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[HubProcess]:
    with a_hub(tmp_path_factory.mktemp("hub"), cluster) as hub:
        yield hub


def a_hub(directory: Path, cluster: Cluster, config: str = CONFIG) -> HubProcess:
    """Return a hub that runs its users' servers on the cluster."""
    need_plugins()
    system = carrel_with_plugins()
    environment = {**system.environment, "KUBECONFIG": str(cluster.configuration(directory))}
    return HubProcess(
        replace(system, environment=environment), directory, class_config(directory, STUB) + config
    )


def signed_in(hub: HubProcess, user: str) -> tuple[Visitor, str]:
    visitor = hub.visitor()
    assert visitor.log_in(user, PASSWORD).location
    return visitor, hub.token(user)


def start(hub: HubProcess, user: str, options: dict[str, Any] | None = None) -> str:
    """Log in and start the user's server; return an API token once it runs."""
    _, token = signed_in(hub, user)
    asked = hub.api("POST", f"users/{user}/server", token=token, body=json.dumps(options or {}).encode())
    assert asked.status in (201, 202), asked.text
    hub.wait_server(user, token)
    return token


def ask(hub: HubProcess, user: str, profile: str = "small") -> str:
    """Log in and send the form; return an API token at once."""
    visitor, token = signed_in(hub, user)
    fields = {"profile": profile, "_xsrf": visitor.xsrf_token(visitor.get("hub/spawn"))}
    assert visitor.post_form("hub/spawn", fields).location.endswith(f"/hub/spawn-pending/{user}")
    return token


def stop(hub: HubProcess, user: str, token: str) -> None:
    assert hub.api("DELETE", f"users/{user}/server", token=token).status in (202, 204)
    hub.wait_server(user, token, running=False)


def serves(hub: HubProcess, user: str) -> bool:
    return bool(re.match(rf"{user} \d+$", hub.visitor().get(f"user/{user}/page").text))


def test_a_server_is_chosen_on_the_form_started_with_progress_used_and_stopped(
    hub: HubProcess, cluster: Cluster
) -> None:
    visitor, token = signed_in(hub, "ada")
    form = visitor.get("hub/spawn")
    assert form.status == 200
    assert re.search(r"\bLarge\b", form.text)
    fields = {"profile": "large", "profile-option-large--image": "maths", "_xsrf": visitor.xsrf_token(form)}
    with cluster.slow_pull():
        assert visitor.post_form("hub/spawn", fields).location.endswith("/hub/spawn-pending/ada")
        said = steps(hub, "ada", token)
        assert any('Pulling image "maths:1"' in step["message"] for step in said)
    assert [step for step in said if step.get("ready")]
    pod = cluster.all("pods")["jupyter-ada"]
    container = pod["spec"]["containers"][0]
    assert container["image"] == "maths:1"
    assert container["resources"]["limits"] == {"memory": 2 * 1024**3}
    assert {"name": "COURSE", "value": "statistics"} in container["env"]
    assert pod["metadata"]["annotations"]["hub.jupyter.org/username"] == "ada"
    assert "claim-ada" in cluster.all("persistentvolumeclaims")
    assert serves(hub, "ada")
    stop(hub, "ada", token)
    assert "jupyter-ada" not in cluster.all("pods")
    assert not serves(hub, "ada")


def test_options_that_no_profile_has_are_refused(hub: HubProcess, cluster: Cluster) -> None:
    _, token = signed_in(hub, "eve")
    asked = hub.api("POST", "users/eve/server", token=token, body=b'{"profile": "huge"}')
    assert asked.status >= 400
    assert "No such profile: huge" in asked.text
    assert "jupyter-eve" not in cluster.all("pods")


def test_a_pod_of_the_same_name_makes_way(hub: HubProcess, cluster: Cluster) -> None:
    cluster.leave_over("jupyter-bea")
    old = cluster.all("pods")["jupyter-bea"]["metadata"]["uid"]
    token = start(hub, "bea")
    assert cluster.all("pods")["jupyter-bea"]["metadata"]["uid"] != old
    assert serves(hub, "bea")
    stop(hub, "bea", token)


def test_watches_that_expire_are_begun_again(hub: HubProcess, cluster: Cluster) -> None:
    token = start(hub, "carl")
    before = hub.log.count("Error when watching resources")
    cluster.expire_watches()
    stop(hub, "carl", token)
    until(lambda: hub.log.count("Error when watching resources") >= before + 2, "both watches to begin again")
    start(hub, "carl")
    assert serves(hub, "carl")


def test_the_owner_of_an_evicted_pod_is_told(hub: HubProcess, cluster: Cluster) -> None:
    token = start(hub, "dora")
    cluster.evict("jupyter-dora")
    hub.wait_server("dora", token, running=False)
    visitor, _ = signed_in(hub, "dora")
    page = visitor.follow("user/dora/")
    assert page.status == 424
    assert "it used too much memory" in page.text
    until(lambda: "jupyter-dora" not in cluster.all("pods"), "the pod to be deleted")


def test_a_deleted_pod_is_noticed(hub: HubProcess, cluster: Cluster) -> None:
    token = start(hub, "emil")
    cluster.delete("jupyter-emil")
    hub.wait_server("emil", token, running=False)


def test_a_pod_with_another_address_is_followed(hub: HubProcess, cluster: Cluster) -> None:
    start(hub, "fay")
    first = hub.visitor().get("user/fay/page").text
    cluster.move("jupyter-fay")
    until(lambda: serves(hub, "fay"), "the server at its new address")
    assert hub.visitor().get("user/fay/page").text != first


def test_an_image_that_is_not_there_ends_in_words(hub: HubProcess, cluster: Cluster) -> None:
    token = ask(hub, "gus", "missing")
    said = list(steps(hub, "gus", token))
    assert any(f'Failed to pull image "{ABSENT}": not found' in step["message"] for step in said)
    assert said[-1]["failed"]
    assert "jupyter-gus" not in cluster.all("pods")


def test_pods_outlive_the_hub_and_are_found_again(hub: HubProcess, cluster: Cluster) -> None:
    token = start(hub, "hal")
    first = hub.visitor().get("user/hal/page").text
    hub.restart()
    assert hub.visitor().get("user/hal/page").text == first
    hub.wait_server("hal", token)
    stop(hub, "hal", token)
    assert "jupyter-hal" not in cluster.all("pods")


def test_a_start_whose_hub_was_killed_leaves_no_pod(hub: HubProcess, cluster: Cluster) -> None:
    with cluster.slow_pull():
        token = ask(hub, "ida")
        until(lambda: "jupyter-ida" in cluster.all("pods"), "the pod")
        hub.restart()
        hub.wait_server("ida", token, running=False)
    assert "jupyter-ida" not in cluster.all("pods")
    visitor, _ = signed_in(hub, "ida")
    assert "The hub was restarted while the server started" in visitor.follow("user/ida/").text


def test_a_removed_user_leaves_no_volume(hub: HubProcess, cluster: Cluster) -> None:
    token = start(hub, "joe")
    stop(hub, "joe", token)
    assert "claim-joe" in cluster.all("persistentvolumeclaims")
    hub.visitor().log_in("admin", PASSWORD)
    assert hub.api("DELETE", "users/joe", token=hub.token("admin")).status == 204
    until(lambda: "claim-joe" not in cluster.all("persistentvolumeclaims"), "the claim to be deleted")


def test_a_namespace_for_each_user(tmp_path: Path, cluster: Cluster) -> None:
    config = CONFIG + "c.KubeSpawner.enable_user_namespaces = True\n"
    with a_hub(tmp_path, cluster, config) as hub:
        token = start(hub, "kim")
        assert cluster.all("pods")["jupyter-kim"]["metadata"]["namespace"] in cluster.all("namespaces")
        assert serves(hub, "kim")
        stop(hub, "kim", token)
