"""What the engine says of a container, read: pure functions of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from carrel.spawners.errors import StartError
from carrel.spawners.reports import Usage

_NEVER = "0001-01-01T00:00:00Z"
_HEAD = 8
_KILLED = 137


def is_running(seen: Mapping[str, Any]) -> bool:
    """Tell whether a container lives; one that is paused or started anew does."""
    state = seen["State"]
    return bool(state.get("Running") or state.get("Paused") or state.get("Restarting"))


def was_started(seen: Mapping[str, Any]) -> bool:
    """Tell whether a container has ever been started."""
    return is_running(seen) or str(seen["State"].get("StartedAt") or _NEVER) != _NEVER


def ended_before(seen: Mapping[str, Any]) -> str:
    """Return when an earlier run of a container has ended, in seconds since 1970 as text; empty for never."""
    text = str(seen["State"].get("FinishedAt") or _NEVER)
    try:
        ended = datetime.fromisoformat(text)
    except ValueError:
        return ""
    if ended.year <= 1970:
        return ""
    # The engine counts nanoseconds, which a float cannot.
    fraction = text.partition(".")[2].rstrip("Z").partition("+")[0].partition("-")[0]
    return f"{int(ended.timestamp())}.{fraction or 0}"


def exit_code(seen: Mapping[str, Any]) -> int:
    """Return the status of a container that has ended."""
    return int(seen["State"].get("ExitCode") or 0)


def last_words(seen: Mapping[str, Any]) -> str:
    """Return what the engine itself knows of a container's end, as a line of its log; empty for nothing."""
    state = seen["State"]
    if is_running(seen):
        return ""
    if state.get("OOMKilled") and exit_code(seen) == _KILLED:
        return "Docker: OOMKilled, the container had reached its limit of memory"
    error = " ".join(str(state.get("Error") or "").split())
    return f"Docker: {error}" if error else ""


def environment(seen: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables of a container."""
    lines = seen["Config"].get("Env") or []
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def listens_at(seen: Mapping[str, Any]) -> int:
    """Return the port that the server in a container was told to listen on, 0 when it was told none."""
    try:
        return urlsplit(environment(seen).get("JUPYTERHUB_SERVICE_URL", "")).port or 0
    except ValueError:
        return 0


def published(seen: Mapping[str, Any], port: int) -> tuple[str, int] | None:
    """Return where on the engine's machine a container's port is published, None for nowhere."""
    ports = (seen.get("NetworkSettings") or {}).get("Ports") or {}
    for place in ports.get(f"{port}/tcp") or []:
        if place.get("HostPort"):
            return str(place.get("HostIp") or ""), int(place["HostPort"])
    return None


def internal_address(seen: Mapping[str, Any], network: str) -> str:
    """Return a container's address in a network, else in any; raises StartError when it has none."""
    settings = seen.get("NetworkSettings") or {}
    networks = settings.get("Networks") or {}
    for entry in (networks.get(network), *networks.values(), settings):
        if entry and (address := entry.get("IPAddress") or entry.get("GlobalIPv6Address")):
            return str(address)
    raise StartError(
        f"The container has no address in the network {network}.",
        hint="The administrator has to see c.DockerSpawner.network_name and use_internal_ip.",
    )


def log_text(data: bytes) -> str:
    """Return what a container wrote: the engine's stream of frames, or bare text where it has a terminal."""
    found, place = bytearray(), 0
    while place + _HEAD <= len(data):
        kind, nothing = data[place], data[place + 1 : place + 4]
        if kind > 2 or any(nothing):
            return data.decode(errors="replace")
        length = int.from_bytes(data[place + 4 : place + _HEAD], "big")
        found += data[place + _HEAD : place + _HEAD + length]
        place += _HEAD + length
    return found.decode(errors="replace") if found or not data else data.decode(errors="replace")


def usage_of(stats: Mapping[str, Any]) -> Usage | None:
    """Return what a container uses by the engine's count, None for one that does not run.

    Memory is without what the kernel could drop from its cache.
    """
    memory, cpu = stats.get("memory_stats") or {}, (stats.get("cpu_stats") or {}).get("cpu_usage") or {}
    if "usage" not in memory:
        return None
    details, processes = memory.get("stats") or {}, stats.get("pids_stats") or {}
    cache = details.get("inactive_file", details.get("total_inactive_file", 0))
    return Usage(
        memory=max(0, int(memory["usage"]) - int(cache or 0)),
        cpu=int(cpu["total_usage"]) / 1e9 if "total_usage" in cpu else None,
        processes=int(processes["current"]) if processes.get("current") else None,
        process_limit=_limit(processes.get("limit")),
        memory_limit=_limit(memory.get("limit")),
    )


#: No machine has as much: the engine's way to say that there is no limit.
_NO_LIMIT = 2**60


def _limit(count: Any) -> int | None:
    return int(count) if count and int(count) < _NO_LIMIT else None
