"""A stand-in for a Kubernetes API server with one node, for kubespawner.

It keeps namespaces, pods, volume claims, services, secrets and events, numbers every change, and serves
lists and watches as the real one does, with real streams. A pod is a local process with its own address;
its manifest must be valid by Kubernetes' own schemas.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import json
import sys
import threading
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import kubernetes_validate  # type: ignore[import-untyped]
from aiohttp import web

from tests.rigs.singleusers import STUB

VERSION = "1.30"
KINDS = {
    "namespaces": "Namespace",
    "pods": "Pod",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "services": "Service",
    "secrets": "Secret",
    "events": "Event",
}
#: An image that no registry has.
ABSENT = "absent/image:1"
Json = dict[str, Any]
T = TypeVar("T")
Place = tuple[str, str, str]
"""Kind, namespace, name."""


class Refused(Exception):
    """An answer that is an error, as the API gives it."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the history that watches follow."""

    version: int
    kind: str
    event: Json


@dataclass(slots=True, eq=False)
class Watch:
    """A client that waits for changes."""

    accepts: Callable[[str, Json], bool]
    queue: asyncio.Queue[Json | None] = field(default_factory=asyncio.Queue)


class Objects:
    """What the API server stores, and who is told of changes."""

    def __init__(self) -> None:
        self.stored: dict[Place, Json] = {}
        self.history: list[Change] = []
        self.watches: set[Watch] = set()
        self.version = 1000

    def put(self, kind: str, body: Json, event: str = "MODIFIED") -> None:
        """Store an object under a new version and tell the watches."""
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        place = (kind, body["metadata"].get("namespace", ""), body["metadata"]["name"])
        if event == "DELETED":
            self.stored.pop(place, None)
        else:
            self.stored[place] = body
        change = Change(self.version, kind, {"type": event, "object": copy.deepcopy(body)})
        self.history.append(change)
        for watch in self.watches:
            if watch.accepts(kind, body):
                watch.queue.put_nowait(change.event)

    def get(self, place: Place) -> Json:
        """Return an object; raise Refused with 404."""
        if place not in self.stored:
            raise Refused(404, "NotFound", f'{place[0]} "{place[2]}" not found')
        return self.stored[place]

    def expire(self) -> None:
        """End every watch as one whose version the server no longer has."""
        gone = Refused(410, "Expired", f"too old resource version: 1 ({self.version})").status
        for watch in self.watches:
            watch.queue.put_nowait({"type": "ERROR", "object": gone})
            watch.queue.put_nowait(None)


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


class Api:
    """The HTTP side: collections, objects and watches of the core API group."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.node = Node(self.objects)
        self.deletions: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._refusals])
        for prefix in ("/api/v1", "/api/v1/namespaces/{namespace}"):
            app.router.add_get(f"{prefix}/{{kind}}", self._list)
            app.router.add_post(f"{prefix}/{{kind}}", self._create)
        one = "/api/v1/namespaces/{namespace}/{kind}/{name}"
        app.router.add_get(one, self._read)
        app.router.add_delete(one, self._delete)
        return app

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            if request.headers.get("Authorization") != "Bearer the-hubs-token":
                raise Refused(401, "Unauthorized", "Unauthorized")
            response: web.StreamResponse = await handler(request)
        except Refused as refusal:
            return web.json_response(refusal.status, status=refusal.code)
        return response

    @staticmethod
    def _place(request: web.Request, name: str = "") -> Place:
        kind = request.match_info["kind"]
        if kind not in KINDS:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return kind, request.match_info.get("namespace", ""), request.match_info.get("name", name)

    async def _create(self, request: web.Request) -> web.Response:
        body: Json = await request.json()
        place = self._place(request, body["metadata"]["name"])
        try:
            typed = {"apiVersion": "v1", "kind": KINDS[place[0]], **body}
            kubernetes_validate.validate(typed, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Refused(422, "Invalid", f"{KINDS[place[0]]} {place[2]} is invalid: {error}") from error
        if place in self.objects.stored:
            raise Refused(409, "AlreadyExists", f'{place[0]} "{place[2]}" already exists')
        self.add(place, body)
        return web.json_response(body, status=201)

    def add(self, place: Place, body: Json) -> None:
        kind, namespace, _ = place
        body["metadata"] |= {"uid": uuid.uuid4().hex}
        if namespace:
            body["metadata"]["namespace"] = namespace
        if kind == "pods":
            body["status"] = {"phase": "Pending"}
        self.objects.put(kind, body, "ADDED")
        if kind == "pods":
            self.node.take(body)

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self.objects.get(self._place(request)))

    async def _delete(self, request: web.Request) -> web.Response:
        place = self._place(request)
        body = self.objects.get(place)
        if place[0] != "pods":
            self.objects.put(place[0], body, "DELETED")
        elif "deletionTimestamp" not in body["metadata"]:
            body["metadata"]["deletionTimestamp"] = datetime.now(UTC).isoformat()
            self.objects.put("pods", body)
            task = asyncio.create_task(self.node.delete(body))
            self.deletions.add(task)
            task.add_done_callback(self.deletions.discard)
        return web.json_response(body)

    async def _list(self, request: web.Request) -> web.StreamResponse:
        kind, namespace, _ = self._place(request)
        labels = _pairs(request.query.get("labelSelector", ""))
        fields = _pairs(request.query.get("fieldSelector", ""))

        def accepts(other: str, body: Json) -> bool:
            metadata = body["metadata"]
            here = other == kind and namespace in ("", metadata.get("namespace", ""))
            labelled = labels.items() <= metadata.get("labels", {}).items()
            return here and labelled and all(_field(body, path) == value for path, value in fields.items())

        if request.query.get("watch", "").lower() in ("true", "1"):
            return await self._watch(request, accepts)
        items = [body for place, body in self.objects.stored.items() if accepts(place[0], body)]
        metadata = {"resourceVersion": str(self.objects.version)}
        return web.json_response({"kind": f"{KINDS[kind]}List", "metadata": metadata, "items": items})

    async def _watch(self, request: web.Request, accepts: Callable[[str, Json], bool]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        since, watch = int(request.query.get("resourceVersion", "0")), Watch(accepts)
        for change in self.objects.history:
            if change.version > since and accepts(change.kind, change.event["object"]):
                watch.queue.put_nowait(change.event)
        self.objects.watches.add(watch)
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", "60"))):
                while (event := await watch.queue.get()) is not None:
                    await response.write(json.dumps(event).encode() + b"\n")
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            self.objects.watches.discard(watch)
        return response


class Cluster:
    """The API server in a thread of its own, and what may happen to it."""

    def __init__(self, api: Api, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self._api = api
        self._loop = loop
        self.url = url

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def configuration(self, directory: Path) -> Path:
        """Return a kubeconfig file for this cluster."""
        file = directory / "kubeconfig"
        cluster = {"name": "test", "cluster": {"server": self.url}}
        user = {"name": "hub", "user": {"token": "the-hubs-token"}}
        context = {"name": "test", "context": {"cluster": "test", "user": "hub"}}
        parts = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "test"}
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", **parts}))
        return file

    def all(self, kind: str) -> dict[str, Json]:
        """Return the objects of a kind, by name."""

        async def look() -> dict[str, Json]:
            return {
                place[2]: copy.deepcopy(body)
                for place, body in self._api.objects.stored.items()
                if place[0] == kind
            }

        return self._do(look())

    def leave_over(self, name: str) -> None:
        """Have a pod of this name that no hub knows, running."""
        labels = {"component": "singleuser-server"}
        env = [{"name": "JUPYTERHUB_SERVICE_URL", "value": "http://0.0.0.0:8888/user/nobody/"}]
        container = {"name": "notebook", "image": "left/over:1", "env": env}

        async def add() -> None:
            body = {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}
            self._api.add(("pods", "default", name), body)

        self._do(add())

    def evict(self, name: str) -> None:
        """End a pod for want of memory."""
        self._do(self._api.node.evict(self._pod(name)))

    def move(self, name: str) -> None:
        """Give a running pod another address."""
        self._do(self._api.node.move(self._pod(name)))

    def delete(self, name: str) -> None:
        """Delete a pod, as an administrator does."""
        self._do(self._api.node.delete(self._pod(name)))

    def expire_watches(self) -> None:
        """End all watches with 410 Gone."""

        async def expire() -> None:
            self._api.objects.expire()

        self._do(expire())

    @contextlib.contextmanager
    def slow_pull(self) -> Iterator[None]:
        """Have no image arrive before the block ends."""
        self._loop.call_soon_threadsafe(self._api.node.pull.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._api.node.pull.set)

    def _pod(self, name: str) -> Json:
        return next(
            body for place, body in self._api.objects.stored.items() if (place[0], place[2]) == ("pods", name)
        )


@contextlib.contextmanager
def running_cluster() -> Iterator[Cluster]:
    """Run the block with a cluster; its pods end with it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="kubernetes", daemon=True)
    thread.start()

    async def start() -> tuple[Api, web.AppRunner, str]:
        api = Api()
        runner = web.AppRunner(api.application(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return api, runner, f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def stop(api: Api, runner: web.AppRunner) -> None:
        api.objects.expire()
        await runner.cleanup()
        await api.node.close()

    api, runner, url = asyncio.run_coroutine_threadsafe(start(), loop).result(30)
    try:
        yield Cluster(api, url, loop)
    finally:
        asyncio.run_coroutine_threadsafe(stop(api, runner), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _pairs(selector: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if part)


def _field(body: Json, path: str) -> Any:
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
