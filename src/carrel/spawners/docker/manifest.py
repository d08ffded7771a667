"""What the engine is told to create, of all that is known of a server: a pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carrel.spawners.docker.host_options import CREATE, HOST, translate
from carrel.spawners.docker.volumes import Volume

_PERIOD = 100_000
_SHARES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server may use; None is no limit."""

    memory: int | None = None
    """Bytes."""
    memory_guarantee: int | None = None
    swap: int | None = None
    """Bytes beyond the memory; needs a limit of that."""
    cpus: float | None = None
    cpu_guarantee: float | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One container, as settings and the hub want it."""

    name: str
    image: str
    env: Mapping[str, str]
    labels: Mapping[str, str]
    port: int
    command: Sequence[str] | None = None
    """None is what the image says."""
    user: str = ""
    directory: str = ""
    network: str = ""
    publish: str | None = None
    """The address of the engine's machine where its port is published; None publishes none."""
    volumes: Sequence[Volume] = ()
    mounts: Sequence[Mapping[str, Any]] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    gpus: Sequence[str] | int | None = None
    """Ids, a number of them, -1 for all."""
    limits: Limits = field(default_factory=Limits)
    extra_create: Mapping[str, Any] = field(default_factory=dict)
    extra_host: Mapping[str, Any] = field(default_factory=dict)


def container_body(plan: Plan) -> dict[str, Any]:
    """Return the body of `POST /containers/create`.

    `extra_create` and `extra_host` win over the rest, except for the marks; variables are joined. Raises
    StartError for names that they cannot have.
    """
    body: dict[str, Any] = {
        "Image": plan.image,
        "Env": [f"{key}={value}" for key, value in plan.env.items()],
        "ExposedPorts": {f"{plan.port}/tcp": {}},
    }
    if plan.command is not None:
        body["Cmd"] = list(plan.command)
    if plan.user:
        body["User"] = plan.user
    if plan.directory:
        body["WorkingDir"] = plan.directory
    host = _host(plan) | translate("c.DockerSpawner.extra_host_config", plan.extra_host, HOST)
    binds = [volume.bind for volume in plan.volumes]
    host["Binds"] = [*binds, *(bind for bind in host.get("Binds") or () if bind not in binds)]
    if plan.mounts:
        host["Mounts"] = [*plan.mounts, *translate("", plan.extra_host, HOST).get("Mounts", [])]
    more = translate("c.DockerSpawner.extra_create_kwargs", plan.extra_create, CREATE)
    env = more.pop("Env", [])
    labels = {**more.pop("Labels", {}), **plan.labels}
    body |= more
    body["Env"] += env
    body["Labels"] = labels
    body["HostConfig"] = host | more.get("HostConfig", {})
    return body


def _host(plan: Plan) -> dict[str, Any]:
    host: dict[str, Any] = limits_of(plan.limits)
    if plan.network:
        host["NetworkMode"] = plan.network
    if plan.publish is not None:
        host["PortBindings"] = {f"{plan.port}/tcp": [{"HostIp": plan.publish, "HostPort": ""}]}
    if plan.links:
        host["Links"] = [f"{name}:{alias}" for name, alias in plan.links.items()]
    if plan.gpus:
        host["DeviceRequests"] = [gpu_request(plan.gpus)]
    return host


def limits_of(limits: Limits) -> dict[str, Any]:
    """Return limits as the engine has them."""
    host: dict[str, Any] = {}
    if limits.memory:
        host["Memory"] = limits.memory
        if limits.swap is not None:
            host["MemorySwap"] = limits.memory + limits.swap
    if limits.memory_guarantee:
        host["MemoryReservation"] = limits.memory_guarantee
    if limits.cpus:
        host |= {"CpuPeriod": _PERIOD, "CpuQuota": int(_PERIOD * limits.cpus)}
    if limits.cpu_guarantee:
        host["CpuShares"] = int(_SHARES * limits.cpu_guarantee)
    if limits.pids:
        host["PidsLimit"] = limits.pids
    return host


def gpu_request(gpus: Sequence[str] | int) -> dict[str, Any]:
    """Return the request for graphics cards: these, so many, or all (-1)."""
    which: dict[str, Any] = {"Count": gpus} if isinstance(gpus, int) else {"DeviceIDs": list(gpus)}
    return {"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **which}


def cards(setting: Any, leased: Sequence[str]) -> Sequence[str] | int | None:
    """Return which graphics cards a server gets: those that the hub leased to it, else the setting's."""
    if leased:
        return list(leased)
    if isinstance(setting, str):
        return -1 if setting == "all" else [part.strip() for part in setting.split(",")]
    return setting  # type: ignore[no-any-return]
