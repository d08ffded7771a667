"""The settings of servers on Kubernetes, under KubeSpawner's names."""

from __future__ import annotations

import re
from typing import Any

from traitlets import Bool, Dict, Enum, HasTraits, Integer, List, TraitError, Unicode, Union
from traitlets import Callable as CallableTrait

from carrel.spawners.traits import Command

_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,510}")


class Image(Unicode[str, Any]):
    """The name of an image: registry, path, tag or digest."""

    def validate(self, obj: Any, value: Any) -> str:
        """Return the name; raises TraitError for what cannot be one."""
        name = str(super().validate(obj, value))
        if not _IMAGE.fullmatch(name):
            raise TraitError(f"{self.name}: {name[:80]!r} is no name of an image")
        return name


def _text(value: str, text: str) -> Any:
    return Unicode(value, help=text).tag(config=True)


def _maybe(text: str) -> Any:
    return Unicode(None, allow_none=True, help=text).tag(config=True)


def _flag(value: bool, text: str) -> Any:
    return Bool(value, help=text).tag(config=True)


def _seconds(value: int, text: str) -> Any:
    return Integer(value, min=0, help=f"{text}, in seconds.").tag(config=True)


def _table(text: str) -> Any:
    return Dict(help=text).tag(config=True)


def _items(text: str) -> Any:
    return Union(
        [List(), Dict()], default_value=[], help=f"{text}: a list, or a dictionary by any names."
    ).tag(config=True)


def _number(text: str) -> Any:
    return Union(
        [Integer(), CallableTrait()], default_value=None, allow_none=True, help=f"{text}, or a callable."
    ).tag(config=True)


def _context(text: str) -> Any:
    return Union([Dict(), CallableTrait()], default_value={}, help=f"{text}, or a callable.").tag(config=True)


def _overrides(text: str) -> Any:
    return Union([Dict(), Unicode()], default_value={}, help=f"{text}: an object, or YAML or JSON.").tag(
        config=True
    )


class KubeSettings(HasTraits):
    """What a deployer may set. Names in braces ({username} …) are filled in wherever it says so."""

    # The API server
    k8s_api_host = _text("", "The API server, https://host:port; empty is what kubeconfig or the pod says.")
    k8s_api_ssl_ca_cert = _text("", "A file with the API server's certificate authority.")
    k8s_api_verify_ssl: Any = Bool(
        None, allow_none=True, help="False believes any certificate of the API server's; None means True."
    ).tag(config=True)
    k8s_api_request_timeout = _seconds(3, "How long the API server may take for an answer")
    k8s_api_request_retry_timeout = _seconds(30, "How long an API server that does not answer is asked again")
    events_enabled = _flag(True, "Show the events of pods while they start.")

    # Where and by which names
    namespace = _text("", "The namespace of servers; empty is the hub's own.")
    enable_user_namespaces = _flag(False, "Give each user a namespace, made when it is missing.")
    user_namespace_template = _text("{hubnamespace}-{username}", "The name of a user's namespace.")
    user_namespace_labels = _table("Labels of users' namespaces; filled in.")
    user_namespace_annotations = _table("Annotations of users' namespaces; filled in.")
    slug_scheme: Any = Enum(
        ("safe", "escape"),
        "safe",
        help="How {username} and {servername} are made names of objects; 'escape' is KubeSpawner up to 6.",
    ).tag(config=True)
    handle_legacy_names = _flag(True, "Go on with claims that have a name of KubeSpawner up to 6.")
    pod_name_template = _text("jupyter-{user_server}", "The name of a pod.")
    secret_name_template = _text("{pod_name}", "The name of the Secret with a server's token.")
    dns_name_template = _text("{name}.{namespace}.svc.cluster.local", "The host of a server's service.")
    pod_connect_ip = _text("", "The host by which servers are reached instead of their addresses; filled in.")
    get_pod_url: Any = CallableTrait(
        None, allow_none=True, help="Returns where a server answers (spawner, pod)."
    ).tag(config=True)
    services_enabled = _flag(False, "Put a service before each server, and reach it by that.")
    component_label = _text("singleuser-server", "What the label `component` of a pod says.")
    common_labels: Any = Dict(
        {
            "app.kubernetes.io/name": "jupyterhub",
            "app.kubernetes.io/managed-by": "carrel",
            "app": "jupyterhub",
            "heritage": "jupyterhub",
        },
        help="Labels of everything that is made for servers.",
    ).tag(config=True)
    extra_labels = _table("Further labels of pods and services; filled in.")
    extra_annotations = _table("Further annotations of pods and services; filled in.")

    # The container
    image: Any = Image("quay.io/jupyterhub/singleuser:latest", help="The image of servers.").tag(config=True)
    image_pull_policy: Any = Enum(
        ("Always", "IfNotPresent", "Never"), None, allow_none=True, help="When images are pulled."
    ).tag(config=True)
    image_pull_secrets: Any = Union(
        [List(), Unicode()],
        default_value=[],
        help="Secrets with the log-in to a registry: a list of names or objects.",
    ).tag(config=True)
    cmd: Any = Command(
        None, allow_none=True, minlen=0, help="What the image's entry point is told to run; None is its own."
    ).tag(config=True)
    working_dir = _maybe("The directory in which the server starts.")
    extra_resource_limits = _table(
        "Further resources that a server may use at most: {'nvidia.com/gpu': '1'}."
    )
    extra_resource_guarantees = _table("Further resources that a server is sure to get.")
    lifecycle_hooks = _table("What runs after the start and before the stop: {'preStop': …}.")
    extra_container_config = _overrides("Further fields of the server's container")
    init_containers = _items("Containers that run before the server; filled in")
    extra_containers = _items("Containers beside the server; filled in")

    # Rights
    service_account = _maybe("The service account of servers; filled in.")
    automount_service_account_token: Any = Bool(
        None,
        allow_none=True,
        help="Give servers the token of their service account; None means only where service_account is set.",
    ).tag(config=True)
    uid = _number("The user id of servers")
    gid = _number("The group id of servers")
    fs_gid = _number("The group that volumes are given to")
    supplemental_gids: Any = Union(
        [List(), CallableTrait()], default_value=[], help="Further group ids of servers, or a callable."
    ).tag(config=True)
    privileged = _flag(
        False, "Give servers all rights on their machine: never for people whom you do not trust."
    )
    allow_privilege_escalation: Any = Bool(
        False, allow_none=True, help="Let servers gain rights, as sudo does; None leaves it to the cluster."
    ).tag(config=True)
    container_security_context = _context("The container's security context; wins over the settings above")
    pod_security_context = _context("The pod's security context; wins over the settings above")

    # The machine
    node_selector = _table("Labels that machines must have.")
    tolerations = _items("Taints of machines that do not matter")
    node_affinity_preferred = _items("Machines that are preferred (PreferredSchedulingTerm)")
    node_affinity_required = _items("Machines that are possible (NodeSelectorTerm)")
    pod_affinity_preferred = _items("Pods whose neighbour a server should be (WeightedPodAffinityTerm)")
    pod_affinity_required = _items("Pods whose neighbour a server has to be (PodAffinityTerm)")
    pod_anti_affinity_preferred = _items(
        "Pods from which a server should keep away (WeightedPodAffinityTerm)"
    )
    pod_anti_affinity_required = _items("Pods from which a server has to keep away (PodAffinityTerm)")
    priority_class_name = _text("", "The priority class of servers.")
    scheduler_name = _maybe("The scheduler that finds a machine.")
    extra_pod_config = _overrides("Further fields of the pod's specification; filled in")

    # Files
    volumes = _items("Volumes of the pod; filled in")
    volume_mounts = _items("Where they are in the server's container; filled in")
    storage_pvc_ensure = _flag(False, "Make the volume claim of a server that has none.")
    pvc_name_template = _text("claim-{user_server}", "The name of a claim.")
    storage_capacity = _maybe("How much a claim asks for (10Gi).")
    storage_class = _maybe("The storage class of claims; '' is the one without a name.")
    storage_access_modes: Any = List(["ReadWriteOnce"], help="How a claim may be used.").tag(config=True)
    storage_selector = _table("Which volumes a claim may be bound to; filled in.")
    storage_extra_labels = _table("Further labels of claims; filled in.")
    storage_extra_annotations = _table("Further annotations of claims; filled in.")
    delete_pvc = _flag(True, "Delete the claim of a server that is deleted for good, files and all.")

    # The end
    delete_grace_period = _seconds(1, "How long a server may take to end when it is stopped")
    delete_stopped_pods = _flag(True, "Delete pods that have ended by themselves.")

    # Hooks
    modify_pod_hook: Any = CallableTrait(
        None, allow_none=True, help="Changes the pod before it is made and returns it (spawner, pod)."
    ).tag(config=True)
    after_pod_created_hook: Any = CallableTrait(
        None, allow_none=True, help="Called when the pod has been made (spawner, pod)."
    ).tag(config=True)
