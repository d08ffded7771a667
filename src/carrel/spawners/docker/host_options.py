"""Names of docker-py and docker compose for what the engine's API calls otherwise.

Each is written as the API has it too (`ShmSize`), and then taken as it is.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from traitlets import TraitError

from carrel.spawners.errors import StartError
from carrel.spawners.traits import ByteSpecification

Reader = Callable[[Any], Any]
Table = Mapping[str, tuple[str, Reader]]


def size(value: Any) -> int:
    """Return bytes of a number, or of text as `512m` or `2gb`; -1 stays."""
    if isinstance(value, str):
        value = value.strip()
        value = value[:-1] if value[-1:] in "bB" else value
    try:
        return int(value) if value in (-1, "-1") else int(ByteSpecification().validate(None, value))
    except TraitError:
        raise ValueError(f"{value!r} is no size; write bytes, or a size like 512m") from None


def as_is(value: Any) -> Any:
    """Return what the API takes as it is written."""
    return value


def pairs(value: Any, separator: str = "=") -> list[str]:
    """Return `key=value` lines of a dictionary or of a list of them."""
    if isinstance(value, Mapping):
        return [f"{key}{separator}{item}" for key, item in value.items()]
    return [str(item) for item in value]


def words(value: Any) -> list[str]:
    """Return a list of texts; one text is one of them."""
    return [value] if isinstance(value, str) else [str(item) for item in value]


def _mapping(value: Any) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(key): str(item) for key, item in value.items()}
    split = (str(item).partition(":") for item in value)
    return {name: rest for name, _, rest in split}


def _devices(value: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for item in value:
        if not isinstance(item, str):
            found.append(dict(item))
            continue
        on_host, _, rest = item.partition(":")
        inside, _, rights = rest.partition(":")
        found.append(
            {
                "PathOnHost": on_host,
                "PathInContainer": inside or on_host,
                "CgroupPermissions": rights or "rwm",
            }
        )
    return found


def _device_requests(value: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = {
        "driver": "Driver",
        "count": "Count",
        "device_ids": "DeviceIDs",
        "capabilities": "Capabilities",
        "options": "Options",
    }
    return [{names.get(key, key): item for key, item in request.items()} for request in value]


def _capitalized(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key[:1].upper() + key[1:]: item for key, item in value.items()}


def _ports(value: Mapping[Any, Any]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port, places in value.items():
        key = str(port) if "/" in str(port) else f"{port}/tcp"
        several = places if isinstance(places, list) else [places]
        found[key] = [_binding(place) for place in several]
    return found


def _binding(place: Any) -> dict[str, str]:
    if isinstance(place, Mapping):
        return dict(place)
    if isinstance(place, tuple):
        return {"HostIp": str(place[0]), "HostPort": str(place[1]) if len(place) > 1 else ""}
    return {"HostPort": "" if place is None else str(place)}


def _joined(value: Any) -> list[str]:
    return pairs(value, ":")


#: Of docker-py's `create_host_config`.
HOST: Table = {
    **{
        name: (name.title().replace("_", ""), as_is)
        for name in (
            *("auto_remove", "blkio_weight", "blkio_weight_device", "cap_add", "cap_drop", "cgroup_parent"),
            *(
                "cpu_count",
                "cpu_percent",
                "cpu_period",
                "cpu_quota",
                "cpu_shares",
                "cpuset_cpus",
                "cpuset_mems",
            ),
            *("device_cgroup_rules", "init", "ipc_mode", "isolation", "network_mode", "oom_kill_disable"),
            *("oom_score_adj", "pid_mode", "pids_limit", "privileged", "publish_all_ports", "runtime"),
            *("storage_opt", "sysctls", "userns_mode", "volume_driver", "volumes_from"),
        )
    },
    **{name: (name.title().replace("_", ""), words) for name in ("dns", "dns_search", "group_add")},
    "binds": ("Binds", lambda value: [*value] if isinstance(value, list) else _binds(value)),
    "cgroupns": ("CgroupnsMode", as_is),
    "cpu_rt_period": ("CpuRealtimePeriod", as_is),
    "cpu_rt_runtime": ("CpuRealtimeRuntime", as_is),
    "device_read_bps": ("BlkioDeviceReadBps", as_is),
    "device_read_iops": ("BlkioDeviceReadIOps", as_is),
    "device_write_bps": ("BlkioDeviceWriteBps", as_is),
    "device_write_iops": ("BlkioDeviceWriteIOps", as_is),
    "device_requests": ("DeviceRequests", _device_requests),
    "devices": ("Devices", _devices),
    "dns_opt": ("DnsOptions", words),
    "extra_hosts": ("ExtraHosts", _joined),
    "kernel_memory": ("KernelMemory", size),
    "links": ("Links", _joined),
    "log_config": ("LogConfig", _capitalized),
    "mem_limit": ("Memory", size),
    "mem_reservation": ("MemoryReservation", size),
    "mem_swappiness": ("MemorySwappiness", as_is),
    "memswap_limit": ("MemorySwap", size),
    "mounts": ("Mounts", as_is),
    "nano_cpus": ("NanoCpus", as_is),
    "port_bindings": ("PortBindings", _ports),
    "read_only": ("ReadonlyRootfs", as_is),
    "restart_policy": ("RestartPolicy", as_is),
    "security_opt": ("SecurityOpt", words),
    "shm_size": ("ShmSize", size),
    "tmpfs": ("Tmpfs", _mapping),
    "ulimits": ("Ulimits", lambda value: [_capitalized(item) for item in value]),
    "uts_mode": ("UTSMode", as_is),
}


def _binds(value: Mapping[str, Any]) -> list[str]:
    return [
        f"{source}:{where['bind']}:{where.get('mode', 'ro' if where.get('ro') else 'rw')}"
        if isinstance(where, Mapping)
        else f"{source}:{where}:rw"
        for source, where in value.items()
    ]


def _labels(value: Any) -> dict[str, str]:
    return _mapping(value) if isinstance(value, Mapping) else dict.fromkeys(value, "")


def _command(value: Any) -> list[str]:
    return shlex.split(value) if isinstance(value, str) else [str(word) for word in value]


#: Of docker-py's `create_container`.
CREATE: Table = {
    "command": ("Cmd", _command),
    "domainname": ("Domainname", as_is),
    "entrypoint": ("Entrypoint", _command),
    "environment": ("Env", pairs),
    "healthcheck": ("Healthcheck", _capitalized),
    "hostname": ("Hostname", as_is),
    "image": ("Image", as_is),
    "labels": (
        "Labels",
        lambda value: _mapping(value) if isinstance(value, Mapping) else dict.fromkeys(value, ""),
    ),
    "mac_address": ("MacAddress", as_is),
    "network_disabled": ("NetworkDisabled", as_is),
    "networking_config": ("NetworkingConfig", as_is),
    "platform": ("platform", as_is),
    "runtime": ("Runtime", as_is),
    "stdin_open": ("OpenStdin", as_is),
    "stop_signal": ("StopSignal", as_is),
    "stop_timeout": ("StopTimeout", as_is),
    "tty": ("Tty", as_is),
    "user": ("User", str),
    "volumes": ("Volumes", lambda value: {str(path): {} for path in words(value)}),
    "working_dir": ("WorkingDir", as_is),
}


def translate(setting: str, given: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Return what a setting gives, as the API has it; raises StartError, naming it, for what it cannot be."""
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key not in table:
            # The API's own names begin with a capital; which there are is for the engine to say.
            if not key[:1].isupper():
                raise StartError(
                    f"{setting} has no {key!r}.",
                    hint="It takes the names of docker-py, or those of the engine's API.",
                )
            found[key] = value
            continue
        name, read = table[key]
        try:
            found[name] = read(value)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StartError(f"{setting}[{key!r}] cannot be {value!r:.80}: {error}.") from error
    return found
