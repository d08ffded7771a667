"""What a swarm is told to create, of all that is known of a server: a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from carrel.spawners.docker.host_options import Table, as_is, pairs, size, translate, words
from carrel.spawners.docker.manifest import Limits, Plan

_SECOND = 10**9

_CONTAINER: Table = {
    "args": ("Args", words),
    "cap_add": ("CapabilityAdd", words),
    "cap_drop": ("CapabilityDrop", words),
    "command": ("Command", words),
    "configs": ("Configs", as_is),
    "dns_config": ("DNSConfig", as_is),
    "env": ("Env", pairs),
    "groups": ("Groups", words),
    "healthcheck": ("HealthCheck", as_is),
    "hostname": ("Hostname", as_is),
    "hosts": ("Hosts", lambda value: pairs(value, " ") if isinstance(value, Mapping) else words(value)),
    "image": ("Image", as_is),
    "init": ("Init", as_is),
    "isolation": ("Isolation", as_is),
    "labels": ("Labels", as_is),
    "mounts": ("Mounts", as_is),
    "open_stdin": ("OpenStdin", as_is),
    "privileges": ("Privileges", as_is),
    "read_only": ("ReadOnly", as_is),
    "secrets": ("Secrets", as_is),
    "stop_grace_period": ("StopGracePeriod", as_is),
    "stop_signal": ("StopSignal", as_is),
    "sysctls": ("Sysctls", as_is),
    "tty": ("TTY", as_is),
    "user": ("User", str),
    "workdir": ("Dir", as_is),
}
_PLACEMENT: Table = {
    "constraints": ("Constraints", words),
    "maxreplicas": ("MaxReplicas", as_is),
    "platforms": ("Platforms", as_is),
    "preferences": ("Preferences", as_is),
}
_RESOURCES: Table = {
    "cpu_limit": ("cpu_limit", int),
    "cpu_reservation": ("cpu_reservation", int),
    "generic_resources": ("generic_resources", as_is),
    "mem_limit": ("mem_limit", size),
    "mem_reservation": ("mem_reservation", size),
}
_TASK: Table = {
    "force_update": ("ForceUpdate", as_is),
    "log_driver": ("LogDriver", as_is),
    "networks": (
        "Networks",
        lambda value: [{"Target": each} if isinstance(each, str) else each for each in value],
    ),
    "placement": ("Placement", as_is),
    "resources": ("Resources", as_is),
    "restart_policy": ("RestartPolicy", as_is),
}
_ENDPOINT: Table = {"mode": ("Mode", as_is), "ports": ("Ports", as_is)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Extras:
    """What the settings of SwarmSpawner add, by their names."""

    container: Mapping[str, Any] = field(default_factory=dict)
    endpoint: Mapping[str, Any] = field(default_factory=dict)
    placement: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    task: Mapping[str, Any] = field(default_factory=dict)
    volume_driver: Mapping[str, Any] = field(default_factory=dict)


def service_body(plan: Plan, extras: Extras, stop_timeout: int) -> dict[str, Any]:
    """Return the body of `POST /services/create`: one task, which is never started anew.

    Raises StartError for names that the settings cannot have.
    """
    setting = "c.SwarmSpawner.extra"
    more = translate(f"{setting}_container_spec", extras.container, _CONTAINER)
    env, mounts = more.pop("Env", []), more.pop("Mounts", [])
    container: dict[str, Any] = {
        "Image": plan.image,
        "Env": [*(f"{key}={value}" for key, value in plan.env.items()), *env],
        "Labels": {**more.pop("Labels", {}), **plan.labels},
        "Mounts": [*(volume.mount(extras.volume_driver) for volume in plan.volumes), *plan.mounts, *mounts],
        "StopGracePeriod": stop_timeout * _SECOND,
    }
    if plan.command is not None:
        # What the image is entered by stays; `Command` would take its place.
        container["Args"] = list(plan.command)
    if plan.user:
        container["User"] = plan.user
    if plan.directory:
        container["Dir"] = plan.directory
    task: dict[str, Any] = {
        "ContainerSpec": container | more,
        "Resources": _resources(plan.limits, extras.resources),
        "RestartPolicy": {"Condition": "none"},
    }
    placement = translate(f"{setting}_placement_spec", extras.placement, _PLACEMENT)
    if placement:
        task["Placement"] = placement
    if plan.network:
        task["Networks"] = [{"Target": plan.network}]
    task |= translate(f"{setting}_task_spec", extras.task, _TASK)
    endpoint = translate(f"{setting}_endpoint_spec", extras.endpoint, _ENDPOINT)
    if plan.publish is not None and "Ports" not in endpoint:
        endpoint["Ports"] = [{"Protocol": "tcp", "TargetPort": plan.port, "PublishMode": "ingress"}]
    body = {
        "Name": plan.name,
        "Labels": dict(plan.labels),
        "TaskTemplate": task,
        "Mode": {"Replicated": {"Replicas": 1}},
    }
    return body | ({"EndpointSpec": endpoint} if endpoint else {})


def _resources(limits: Limits, extra: Mapping[str, Any]) -> dict[str, Any]:
    more = translate("c.SwarmSpawner.extra_resources_spec", extra, _RESOURCES)
    most = {
        "MemoryBytes": more.get("mem_limit", limits.memory),
        "NanoCPUs": more.get("cpu_limit", limits.cpus and int(limits.cpus * _SECOND)),
        "Pids": limits.pids,
    }
    least = {
        "MemoryBytes": more.get("mem_reservation", limits.memory_guarantee),
        "NanoCPUs": more.get("cpu_reservation", limits.cpu_guarantee and int(limits.cpu_guarantee * _SECOND)),
        "GenericResources": more.get("generic_resources"),
    }
    own = {key: value for key, value in more.items() if key[:1].isupper()}
    return {
        "Limits": {key: value for key, value in most.items() if value},
        "Reservations": {key: value for key, value in least.items() if value},
        **own,
    }
