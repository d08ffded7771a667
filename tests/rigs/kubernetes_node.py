"""The one node of the stand-in for Kubernetes: a pod is a local process with an address of its own."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import uuid
from datetime import UTC, datetime
from urllib.parse import urlsplit

from tests.rigs.kubernetes_objects import Json, Objects
from tests.rigs.singleusers import STUB

#: An image that no registry has.
ABSENT = "absent/image:1"


class Node:
    """Runs the pods that the API server has."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._addresses = (f"127.88.{n // 250}.{n % 250 + 1}" for n in itertools.count())
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.pull = asyncio.Event()
        """Images are there once it is set."""
        self.pull.set()

    def take(self, pod: Json) -> None:
        """Begin to run a pod."""
        task = asyncio.create_task(self._run(pod))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell(self, pod: Json, reason: str, message: str, kind: str = "Normal") -> None:
        """Write an event about a pod."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        about = pod["metadata"]
        unique = uuid.uuid4().hex
        names = {"name": f"{about['name']}.{unique[:12]}", "namespace": about["namespace"], "uid": unique}
        involved = {"kind": "Pod", **{key: about[key] for key in ("name", "namespace", "uid")}}
        said = {"type": kind, "reason": reason, "message": message, "lastTimestamp": now, "eventTime": None}
        self._objects.put("events", {"metadata": names, "involvedObject": involved, **said}, "ADDED")

    async def _run(self, pod: Json) -> None:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        image = container["image"]
        self.tell(pod, "Scheduled", f"Successfully assigned {name} to node-1")
        self.tell(pod, "Pulling", f'Pulling image "{image}"')
        await self.pull.wait()
        if image == ABSENT:
            self.tell(pod, "Failed", f'Failed to pull image "{image}": not found', "Warning")
            waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            self._set(pod, "Pending", {"waiting": waiting})
            return
        self.tell(pod, "Started", "Started container notebook")
        ip = next(self._addresses)
        process = await asyncio.create_subprocess_exec(*STUB, env=self._environment(container, ip))
        uid = pod["metadata"]["uid"]
        self._processes[uid] = process
        pod["status"]["podIP"] = ip
        self._set(pod, "Running", {"running": {}}, ready=True)
        code = await process.wait()
        if self._processes.pop(uid, None) is not None:
            status = {"exitCode": code if code >= 0 else 128 - code, "reason": "Error"}
            self._set(pod, "Failed", {"terminated": status})

    def _environment(self, container: Json, ip: str) -> dict[str, str]:
        env = {entry["name"]: entry.get("value", "") for entry in container["env"]}
        url = urlsplit(env["JUPYTERHUB_SERVICE_URL"])
        # A pod has a network of its own; here it has an address of its own.
        env["JUPYTERHUB_SERVICE_URL"] = url._replace(netloc=f"{ip}:{url.port}").geturl()
        return {"PYTHONPATH": ":".join(sys.path), **env}

    def _set(self, pod: Json, phase: str, state: Json, *, ready: bool = False) -> None:
        image = {"image": pod["spec"]["containers"][0]["image"], "imageID": ""}
        status = {"name": "notebook", "ready": ready, "state": state, "restartCount": 0, **image}
        pod["status"] |= {"phase": phase, "containerStatuses": [status]}
        self._objects.put("pods", pod)

    async def end(self, pod: Json) -> None:
        """Kill a pod's process, if it has one."""
        process = self._processes.pop(pod["metadata"]["uid"], None)
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def delete(self, pod: Json) -> None:
        """Take a pod off the node, as a deletion does: it is there for a moment, terminating."""
        self.tell(pod, "Killing", "Stopping container notebook")
        await self.end(pod)
        self._objects.put("pods", pod, "DELETED")

    async def evict(self, pod: Json) -> None:
        """End a pod because the node has too little memory."""
        message = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 20Mi."
        self.tell(pod, "Evicted", message, "Warning")
        await self.end(pod)
        pod["status"] |= {"reason": "Evicted", "message": message}
        self._set(pod, "Failed", {"terminated": {"exitCode": 137, "reason": "Error"}})

    async def move(self, pod: Json) -> None:
        """Give a pod another address, as after a restart of its sandbox."""
        await self.end(pod)
        container, ip = pod["spec"]["containers"][0], next(self._addresses)
        process = await asyncio.create_subprocess_exec(*STUB, env=self._environment(container, ip))
        self._processes[pod["metadata"]["uid"]] = process
        pod["status"]["podIP"] = ip
        self._objects.put("pods", pod)

    async def close(self) -> None:
        """End all that runs."""
        for task in self._tasks:
            task.cancel()
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
