"""What is done with a swarm's services, and what their tasks tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carrel.spawners.docker import inspection
from carrel.spawners.docker.engine import Engine, EngineError

_GONE = 404
_LOOK = 0.2
#: In these a task is on its way or alive.
_ALIVE = {
    *("new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"),
}
_VANISHING = 60.0


def latest(tasks: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the task that was made last, None when there is none."""
    return max(tasks, key=lambda task: str(task.get("CreatedAt") or ""), default=None)


def lives(task: Mapping[str, Any]) -> bool:
    """Tell whether a task is alive or on its way."""
    return state_of(task) in _ALIVE


def state_of(task: Mapping[str, Any]) -> str:
    """Return the state of a task in the engine's word."""
    return str(task.get("Status", {}).get("State") or "new")


def exit_code(task: Mapping[str, Any]) -> int:
    """Return the status of a task that has ended; 1 for one that failed without any."""
    container = task.get("Status", {}).get("ContainerStatus") or {}
    return int(container.get("ExitCode") or (0 if state_of(task) in ("complete", "shutdown") else 1))


def words_of(task: Mapping[str, Any]) -> str:
    """Return what the swarm says of a task: why it waits or has ended."""
    status = task.get("Status", {})
    return str(status.get("Err") or status.get("Message") or "")


def address_of(task: Mapping[str, Any], network: str) -> str:
    """Return the address of a task in a network, else in any but the ingress; empty when it has none."""
    found = {}
    for attached in task.get("NetworksAttachments") or []:
        of_network = attached.get("Network") or {}
        spec = of_network.get("Spec") or {}
        addresses = attached.get("Addresses") or []
        if addresses and not spec.get("Ingress"):
            found[str(spec.get("Name"))] = found[str(of_network.get("ID"))] = addresses[0].partition("/")[0]
    return found.get(network) or next(iter(found.values()), "")


@dataclass(frozen=True, slots=True)
class Services:
    """One swarm's services. Every method raises EngineError for what the engine does not do."""

    engine: Engine

    async def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what the swarm knows of a service, by id or name; None when there is none."""
        try:
            seen: dict[str, Any] = await self.engine.call("GET", f"services/{name}")
        except EngineError as error:
            if error.status == _GONE:
                return None
            raise
        return seen

    async def create(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> str:
        """Create a service and return its id."""
        made = await self.engine.call("POST", "services/create", None, body, headers=headers)
        return str(made["ID"])

    async def tasks(self, service: str) -> list[dict[str, Any]]:
        """Return the tasks of a service, by its id."""
        found = await self.engine.call("GET", "tasks", {"filters": {"service": [service]}})
        return list(found or [])

    async def delete(self, name: str) -> None:
        """Remove a service and return when its tasks have ended; may be repeated."""
        tasks = await self.tasks(name) if await self.inspect(name) is not None else []
        try:
            await self.engine.call("DELETE", f"services/{name}")
        except EngineError as error:
            if error.status != _GONE:
                raise
        async with asyncio.timeout(_VANISHING):
            for task in tasks:
                while await self._lives(str(task["ID"])):
                    await asyncio.sleep(_LOOK)

    async def _lives(self, task: str) -> bool:
        try:
            return lives(await self.engine.call("GET", f"tasks/{task}"))
        except EngineError as error:
            if error.status == _GONE:
                return False
            raise

    async def find(self, marks: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the services with all of these labels."""
        labels = {"label": [f"{key}={value}" for key, value in marks.items()]}
        found = await self.engine.call("GET", "services", {"filters": labels})
        return list(found or [])

    async def log(self, name: str, lines: int) -> str:
        """Return the last lines that a service's tasks wrote."""
        query = {"stdout": True, "stderr": True, "tail": str(lines)}
        return inspection.log_text(await self.engine.read(f"services/{name}/logs", query))
