"""The one node of the stand-in for Kubernetes: a pod is a local process with an address of its own."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import os
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from carrel.testing.conformance.spawner import LAST_WORDS
from tests.rigs.kubernetes_objects import Json, Objects, now
from tests.rigs.singleusers import STUB

#: An image that no registry has.
ABSENT = "absent/image:1"
#: An image whose server writes the conformance suite's LAST_WORDS and ends with status 3.
DYING = "dying/image:1"
_DIES = (
    sys.executable,
    "-S",
    "-c",
    f"import sys, time; print({LAST_WORDS!r}, flush=True); time.sleep(0.3); sys.exit(3)",
)
_RETRY = 0.2


class Node:
    """Runs the pods that the API server has."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        # Several test runs on one machine shall not meet.
        first = os.getpid() % 120 + 100
        self._addresses = (f"127.{first}.{n // 250}.{n % 250 + 1}" for n in itertools.count())
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._logs = Path(tempfile.mkdtemp(prefix="kubernetes-logs-"))
        self._tasks: set[asyncio.Task[None]] = set()
        self.pull = asyncio.Event()
        """Images are there once it is set."""
        self.pull.set()
        self.room = asyncio.Event()
        """Pods find a machine once it is set."""
        self.room.set()

    def take(self, pod: Json) -> None:
        """Begin to run a pod."""
        task = asyncio.create_task(self._run(pod))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def tell(self, pod: Json, reason: str, message: str, kind: str = "Normal") -> None:
        """Write an event about a pod."""
        about = pod["metadata"]
        unique = uuid.uuid4().hex
        names = {"name": f"{about['name']}.{unique[:12]}", "namespace": about["namespace"], "uid": unique}
        involved = {"kind": "Pod", **{key: about[key] for key in ("name", "namespace", "uid")}}
        said = {"type": kind, "reason": reason, "message": message, "lastTimestamp": now(), "eventTime": None}
        self._objects.put("events", {"metadata": names, "involvedObject": involved, **said}, "ADDED")

    async def _run(self, pod: Json) -> None:
        name, container = pod["metadata"]["name"], pod["spec"]["containers"][0]
        image = container["image"]
        await self._schedule(pod)
        self.tell(pod, "Scheduled", f"Successfully assigned {name} to node-1")
        self.tell(pod, "Pulling", f'Pulling image "{image}"')
        await self.pull.wait()
        if image == ABSENT:
            self.tell(pod, "Failed", f'Failed to pull image "{image}": not found', "Warning")
            self._set(pod, "Pending", {"waiting": {"reason": "ErrImagePull", "message": "not found"}})
            await asyncio.sleep(_RETRY)
            waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}
            self._set(pod, "Pending", {"waiting": waiting})
            return
        while (environment := self._environment(pod, container)) is None:
            waiting = {"reason": "CreateContainerConfigError", "message": "secret not found"}
            self._set(pod, "Pending", {"waiting": waiting})
            await asyncio.sleep(_RETRY)
        self.tell(pod, "Started", "Started container notebook")
        pod["status"]["podIP"] = next(self._addresses)
        await self._begin(pod, self._placed(environment, pod["status"]["podIP"]))

    async def _schedule(self, pod: Json) -> None:
        if not self.room.is_set():
            message = "0/1 nodes are available: 1 Insufficient memory."
            self.tell(pod, "FailedScheduling", message, "Warning")
            condition = {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": message,
            }
            pod["status"]["conditions"] = [condition]
            self._objects.put("pods", pod)
            await self.room.wait()
            pod["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]

    async def _begin(self, pod: Json, environment: dict[str, str], restarts: int = 0) -> None:
        uid, words = pod["metadata"]["uid"], self._words(pod)
        with (self._logs / uid).open("wb") as log:
            process = await asyncio.create_subprocess_exec(*words, env=environment, stdout=log, stderr=log)
        self._processes[uid] = process
        self._set(pod, "Running", {"running": {}}, ready=True, restarts=restarts)
        code = await process.wait()
        if self._processes.pop(uid, None) is None:
            return
        ended = {"terminated": {"exitCode": code if code >= 0 else 128 - code, "reason": "Error"}}
        if pod["spec"].get("restartPolicy", "Always") == "Never":
            self._set(pod, "Failed", ended)
            return
        waiting = {
            "reason": "CrashLoopBackOff",
            "message": "back-off 10s restarting failed container=notebook",
        }
        self._set(pod, "Running", {"waiting": waiting}, restarts=restarts + 1, last=ended)
        self.tell(pod, "BackOff", "Back-off restarting failed container notebook", "Warning")

    @staticmethod
    def _words(pod: Json) -> Sequence[str]:
        return _DIES if pod["spec"]["containers"][0]["image"] == DYING else STUB

    def _environment(self, pod: Json, container: Json) -> dict[str, str] | None:
        """Return the container's variables, None while a Secret of theirs is missing."""
        env: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            place = ("secrets", pod["metadata"]["namespace"], source["secretRef"]["name"])
            if place not in self._objects.stored:
                return None
            values = self._objects.stored[place]["data"]
            env |= {key: base64.b64decode(value).decode() for key, value in values.items()}
        env |= {entry["name"]: entry.get("value", "") for entry in container["env"]}
        return {"PYTHONPATH": ":".join(sys.path), **env}

    def _placed(self, environment: dict[str, str], ip: str) -> dict[str, str]:
        url = urlsplit(environment["JUPYTERHUB_SERVICE_URL"])
        # A pod has a network of its own; here it has an address of its own.
        return {**environment, "JUPYTERHUB_SERVICE_URL": url._replace(netloc=f"{ip}:{url.port}").geturl()}

    def _set(
        self,
        pod: Json,
        phase: str,
        state: Json,
        *,
        ready: bool = False,
        restarts: int = 0,
        last: Json | None = None,
    ) -> None:
        image = {"image": pod["spec"]["containers"][0]["image"], "imageID": ""}
        status = {"name": "notebook", "ready": ready, "state": state, "restartCount": restarts, **image}
        status["lastState"] = last or {}
        pod["status"] |= {"phase": phase, "containerStatuses": [status]}
        self._objects.put("pods", pod)

    def log(self, pod: Json) -> str | None:
        """Return what a pod's server wrote, None while it has not begun."""
        file = self._logs / pod["metadata"]["uid"]
        return file.read_text() if file.exists() else None

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

    async def run_out_of_memory(self, pod: Json) -> None:
        """End a pod's server as the kernel does when it is over its limit."""
        await self.end(pod)
        self._set(pod, "Failed", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}})

    async def move(self, pod: Json) -> None:
        """Give a pod another address, as after a restart of its sandbox."""
        await self.end(pod)
        pod["status"]["podIP"] = ip = next(self._addresses)
        environment = self._environment(pod, pod["spec"]["containers"][0])
        assert environment is not None
        process = await asyncio.create_subprocess_exec(*self._words(pod), env=self._placed(environment, ip))
        self._processes[pod["metadata"]["uid"]] = process
        self._objects.put("pods", pod)

    async def close(self) -> None:
        """End all that runs."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        for file in self._logs.iterdir():
            file.unlink()
        self._logs.rmdir()
