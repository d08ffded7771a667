"""Servers as services of a swarm, each on whichever of its machines has room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping
from typing import Any

from traitlets import Bool, Dict, Unicode, default

from carrel.spawners.docker import images, marks, services
from carrel.spawners.docker.engine import EngineError
from carrel.spawners.docker.names import check_name, service_name
from carrel.spawners.docker.registry import pull_headers
from carrel.spawners.docker.services import Services
from carrel.spawners.docker.spawner import DockerSpawner
from carrel.spawners.docker.swarm_manifest import Extras, service_body
from carrel.spawners.errors import StartError
from carrel.spawners.reports import Orphan, Usage
from carrel.spawners.templates import expand

_LOOK = 0.2


def _dictionary(text: str) -> Any:
    return Dict(help=text).tag(config=True)


class SwarmSpawner(DockerSpawner):
    """Starts each server as a service of a swarm; the engine has to be one of its managers."""

    opens_repositories = False

    network_name = Unicode(help="The network that servers are in, an overlay of the swarm.").tag(config=True)
    remove = Bool(True, help="A service is removed when its server has stopped, whatever this says.").tag(
        config=True
    )
    extra_container_spec = _dictionary(
        "More of the container, by names of docker-py's ContainerSpec or the API."
    )
    extra_endpoint_spec = _dictionary("More of the endpoint: mode and ports.")
    extra_placement_spec = _dictionary("Where servers run: constraints, preferences, platforms, maxreplicas.")
    extra_resources_spec = _dictionary(
        "More of the resources: cpu_limit, cpu_reservation (in 1e-9 CPUs), mem_limit, mem_reservation,"
        " generic_resources."
    )
    extra_task_spec = _dictionary(
        "More of the task: restart_policy, log_driver, networks, placement, force_update."
    )
    volume_driver = Unicode(help="By what named volumes are made.").tag(config=True)
    volume_driver_options = _dictionary("Options of volume_driver.")

    @default("use_internal_ip")
    def _default_use_internal_ip(self) -> bool:
        return True

    @property
    def object_name(self) -> str:
        """Return the service's name, which is a host name too."""
        return service_name(check_name(expand(self.name_template, self.template_namespace())))

    def _services(self) -> Services:
        return Services(self._containers().engine)

    async def start(self) -> tuple[str, int]:
        """Create a service, wait until its task runs, and return where its server will listen."""
        present = await self._services().inspect(self.object_name)
        if present is not None:
            # Of a service nothing is kept: what is left of an earlier run makes room.
            if not marks.same_server(present["Spec"].get("Labels"), self._marks()):
                raise StartError(
                    f"There is a service called {self.object_name} that is not this server's.",
                    hint="The administrator has to remove it, or change c.SwarmSpawner.prefix.",
                )
            await self._services().delete(str(present["ID"]))
        plan = await self._plan()
        driver = (
            {"Name": self.volume_driver, "Options": self.volume_driver_options} if self.volume_driver else {}
        )
        extras = Extras(
            container=self.extra_container_spec,
            endpoint=self.extra_endpoint_spec,
            placement=self.extra_placement_spec,
            resources=self.extra_resources_spec,
            task=self.extra_task_spec,
            volume_driver=driver if self.volume_driver else {},
        )
        headers = await pull_headers(images.parse_image(self.image).registry, os.environ)
        self._say(20, "Asking the swarm for a place")
        body = service_body(plan, extras, self.stop_timeout)
        self.object_id = await self._services().create(body, headers)
        await self.save_state()
        return await self._await_task()

    async def resume_start(self) -> tuple[str, int] | None:
        """Go on waiting for a service that was made already; None when there is none."""
        if not self.object_id or await self._services().inspect(self.object_id) is None:
            return None
        return await self._await_task()

    async def _await_task(self) -> tuple[str, int]:
        told = ""
        while True:
            task = services.latest(await self._services().tasks(self.object_id))
            if task is not None:
                state, said = services.state_of(task), services.words_of(task)
                if state == "running":
                    self.server.ip, self.server.port = await self._place(task)
                    return self.server.ip, self.server.port
                if not services.lives(task):
                    raise StartError(
                        f"The swarm could not run the server ({state}): {said or 'no reason given'}."
                    )
                if (line := f"{state}: {said}" if said else state) != told:
                    told = line
                    self._say(40, f"The swarm says {line}")
            await asyncio.sleep(_LOOK)

    async def _place(self, task: Mapping[str, Any]) -> tuple[str, int]:
        if self.use_internal_hostname:
            return self.object_name, self.port
        if self.use_internal_ip:
            address = services.address_of(task, self.network_name)
            if address:
                return address, self.port
            raise StartError(
                "The server's task has no address in a network of the swarm.",
                hint="The administrator has to set c.SwarmSpawner.network_name, or use_internal_ip = False.",
            )
        seen = await self._services().inspect(self.object_id) or {}
        ports = [*(seen.get("Endpoint", {}).get("Ports") or []), *_ports_of(task)]
        for port in ports:
            if port.get("TargetPort") == self.port and port.get("PublishedPort"):
                return self._outside(self.host_ip), int(port["PublishedPort"])
        raise StartError(
            f"The service's port {self.port} is not published.",
            hint="The administrator has to see c.SwarmSpawner.extra_endpoint_spec, or set use_internal_ip.",
        )

    async def poll(self) -> int | None:
        """Return None while the service has a task that lives or waits, else its status."""
        if not self.object_id or await self._services().inspect(self.object_id) is None:
            return 0
        task = services.latest(await self._services().tasks(self.object_id))
        return None if task is None or services.lives(task) else services.exit_code(task)

    async def stop(self, now: bool = False) -> None:
        """Remove the service and wait until its task has ended: at its own pace, also when `now`."""
        if self.object_id:
            await self._services().delete(self.object_id)

    async def run_post_stop_hook(self) -> None:
        """Remove a service whose task has ended by itself; then call the deployer's hook."""
        if self.object_id and await self.poll() is not None:
            await self._services().delete(self.object_id)
        await super(DockerSpawner, self).run_post_stop_hook()

    async def rename(self, old_name: str, new_name: str) -> None:
        """Refuse where volumes go by the server's name; a service at rest does not exist."""
        self._check_volume_names()

    async def delete_forever(self) -> None:
        """Remove what is left of a deleted server: its services. Volumes that have a name stay."""
        for seen in await self._services().find(marks.of_server(self._marks())):
            await self._services().delete(str(seen["ID"]))

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines of the service, and what the swarm says of a task that has ended."""
        if not self.object_id or await self._services().inspect(self.object_id) is None:
            return ""
        try:
            text = await self._services().log(self.object_id, tail)
        except EngineError as error:
            self.log.info("The log of %s cannot be read: %s", self.object_name, error)
            text = ""
        task = services.latest(await self._services().tasks(self.object_id))
        last = "" if task is None or services.lives(task) else f"Docker: {services.words_of(task)}"
        return "\n".join(part for part in (text.rstrip("\n"), last) if part)

    async def usage(self) -> Usage | None:
        """Return None: the task may be on another machine, which this engine cannot ask."""
        return None

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return this hub's services that are none of the known runs."""
        if not self.hub.hub_id:
            return []
        found = await self._services().find({marks.HUB: self.hub.hub_id})
        listed = [
            {
                "Id": one["ID"],
                "Names": [one["Spec"]["Name"]],
                "State": "running",
                "Labels": one["Spec"]["Labels"],
            }
            for one in found
        ]
        return marks.orphans(listed, known)

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over a service that has the marks of this run."""
        seen = await self._services().inspect(str(orphan.state["object_id"]))
        if seen is None or not marks.are_of_run(seen["Spec"].get("Labels"), self._marks()):
            return False
        self.load_state(orphan.state)
        task = services.latest(await self._services().tasks(self.object_id))
        if task is not None and services.state_of(task) == "running":
            self.server.ip, self.server.port = await self._place(task)
        return True

    def _marks(self) -> dict[str, str]:
        run = (self.server_id, self.generation)
        return marks.make(self.hub.hub_id, run, self.user.name, remove=True)


def _ports_of(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the ports that are published on the task's own machine."""
    return list((task.get("Status", {}).get("PortStatus") or {}).get("Ports") or [])
