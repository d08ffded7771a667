"""The HTTP side of the stand-in for Kubernetes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
from aiohttp import web

from tests.rigs.kubernetes_node import Node
from tests.rigs.kubernetes_objects import KINDS, Json, Objects, Place, Refused, Watch, now

VERSION = "1.30"
TOKEN = "the-hubs-token"
_ONE = "/api/v1/namespaces/{namespace}/{kind}/{name}"
_BOOKMARK = 1.0


@dataclass(slots=True)
class Fault:
    """What the next requests of a kind get instead of their answer; watches are a kind of their own."""

    method: str
    kind: str
    status: int
    left: int
    after: bool = False
    """The request is carried out, and only its answer is lost."""
    headers: tuple[tuple[str, str], ...] = ()
    skip: int = 0
    """Of a fault of any request (without method and kind), how many are let through before."""


class Api:
    """The HTTP side: collections, objects and watches of the core API group."""

    def __init__(self) -> None:
        self.objects = Objects()
        self.node = Node(self.objects)
        self.deletions: set[asyncio.Task[None]] = set()
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str]] = []
        """Method and path, with its query, of every request."""
        self.token = TOKEN

    def application(self) -> web.Application:
        app = web.Application(middlewares=[self._refusals])
        for prefix in ("/api/v1", "/api/v1/namespaces/{namespace}"):
            app.router.add_get(f"{prefix}/{{kind}}", self._list)
            app.router.add_post(f"{prefix}/{{kind}}", self._create)
        app.router.add_get("/api/v1/{kind:namespaces}/{name}", self._read)
        app.router.add_get(f"{_ONE}/log", self._log)
        app.router.add_get(_ONE, self._read)
        app.router.add_put(_ONE, self._replace)
        app.router.add_patch(_ONE, self._patch)
        app.router.add_delete(_ONE, self._delete)
        app.router.add_get(_ONE.replace("/api/v1", "/apis/metrics.k8s.io/v1beta1"), self._measure)
        return app

    @web.middleware
    async def _refusals(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append((request.method, str(request.rel_url)))
        try:
            if request.headers.get("Authorization") != f"Bearer {self.token}":
                raise Refused(401, "Unauthorized", "Unauthorized")
            fault = self._fault(request)
            if fault is not None and not fault.after:
                self._fail(request, fault)
            response: web.StreamResponse = await handler(request)
            if fault is not None:
                self._fail(request, fault)
        except Refused as refusal:
            headers = dict(fault.headers) if (fault := getattr(refusal, "fault", None)) else {}
            return web.json_response(refusal.status, status=refusal.code, headers=headers)
        return response

    def _fault(self, request: web.Request) -> Fault | None:
        kind = request.match_info.get("kind", "")
        if "watch" in request.query:
            kind = "watch"
        for fault in self.faults:
            if fault.method == "" and kind != "watch" and fault.skip:
                fault.skip -= 1
            elif fault.left and fault.method in ("", request.method) and fault.kind in ("", kind):
                fault.left -= 1
                return fault
        return None

    @staticmethod
    def _fail(request: web.Request, fault: Fault) -> None:
        if fault.status == 0:
            assert request.transport is not None
            request.transport.abort()
        refusal = Refused(fault.status, "Fault", "made to fail")
        refusal.fault = fault  # type: ignore[attr-defined]
        raise refusal

    @staticmethod
    def _place(request: web.Request, name: str = "") -> Place:
        kind = request.match_info["kind"]
        if kind not in KINDS:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        return kind, request.match_info.get("namespace", ""), request.match_info.get("name", name)

    async def _create(self, request: web.Request) -> web.Response:
        body: Json = await request.json()
        place = self._place(request, body["metadata"]["name"])
        self._check(place, body)
        if place in self.objects.stored:
            raise Refused(409, "AlreadyExists", f'{place[0]} "{place[2]}" already exists')
        self.add(place, body)
        return web.json_response(body, status=201)

    @staticmethod
    def _check(place: Place, body: Json) -> None:
        try:
            typed = {"apiVersion": "v1", "kind": KINDS[place[0]], **body}
            kubernetes_validate.validate(typed, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            raise Refused(422, "Invalid", f"{KINDS[place[0]]} {place[2]} is invalid: {error}") from error

    def add(self, place: Place, body: Json) -> None:
        kind, namespace, _ = place
        if namespace:
            body["metadata"]["namespace"] = namespace
        if kind == "pods":
            body["status"] = {"phase": "Pending"}
        self.objects.put(kind, body, "ADDED")
        if kind == "pods":
            self.node.take(body)

    async def _read(self, request: web.Request) -> web.Response:
        return web.json_response(self.objects.get(self._place(request)))

    async def _replace(self, request: web.Request) -> web.Response:
        place, body = self._place(request), await request.json()
        old = self.objects.get(place)
        self._check(place, body)
        body["metadata"] |= {name: old["metadata"][name] for name in ("uid", "creationTimestamp")}
        self.objects.put(place[0], body)
        return web.json_response(body)

    async def _patch(self, request: web.Request) -> web.Response:
        place = self._place(request)
        body = self.objects.get(place)
        body["metadata"] |= (await request.json()).get("metadata", {})
        self._check(place, body)
        self.objects.put(place[0], body)
        return web.json_response(body)

    async def _delete(self, request: web.Request) -> web.Response:
        place, options = self._place(request), await request.json() if request.can_read_body else {}
        body = self.objects.get(place)
        wanted = options.get("preconditions", {}).get("uid", body["metadata"]["uid"])
        if wanted != body["metadata"]["uid"]:
            raise Refused(409, "Conflict", f"the UID in the precondition ({wanted}) does not match")
        if place[0] != "pods":
            self.objects.put(place[0], body, "DELETED")
        elif "deletionTimestamp" not in body["metadata"]:
            body["metadata"]["deletionTimestamp"] = now()
            self.objects.put("pods", body)
            task = asyncio.create_task(self.node.delete(body))
            self.deletions.add(task)
            task.add_done_callback(self.deletions.discard)
        return web.json_response(body)

    async def _log(self, request: web.Request) -> web.Response:
        text = self.node.log(self.objects.get(self._place(request)))
        if text is None:
            raise Refused(400, "BadRequest", 'container "notebook" is waiting to start: ContainerCreating')
        lines = text.splitlines(keepends=True)[-int(request.query["tailLines"]) :]
        return web.Response(text="".join(lines))

    async def _measure(self, request: web.Request) -> web.Response:
        if self._place(request) not in self.objects.stored:
            raise Refused(404, "NotFound", "podmetrics not found")
        usage = {"cpu": "12345678n", "memory": "2048Ki"}
        return web.json_response({"kind": "PodMetrics", "containers": [{"name": "notebook", "usage": usage}]})

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
        begin = int(request.query.get("continue", "0"))
        end = begin + int(request.query.get("limit", len(items) or 1))
        if end < len(items):
            metadata["continue"] = str(end)
        return web.json_response(
            {"kind": f"{KINDS[kind]}List", "metadata": metadata, "items": items[begin:end]}
        )

    async def _watch(self, request: web.Request, accepts: Callable[[str, Json], bool]) -> web.StreamResponse:
        since, watch = int(request.query.get("resourceVersion", "0")), Watch(accepts)
        if since < self.objects.oldest:
            raise self.objects.expired()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for change in self.objects.history:
            if change.version > since and accepts(change.kind, change.event["object"]):
                watch.queue.put_nowait(change.event)
        self.objects.watches.add(watch)
        bookmarks = request.query.get("allowWatchBookmarks", "").lower() in ("true", "1")
        try:
            async with asyncio.timeout(float(request.query.get("timeoutSeconds", "60"))):
                while (event := await self._next(watch, bookmarks=bookmarks)) is not None:
                    await response.write(json.dumps(event).encode() + b"\n")
        except (TimeoutError, ConnectionResetError):
            pass
        finally:
            self.objects.watches.discard(watch)
        return response

    async def _next(self, watch: Watch, *, bookmarks: bool) -> Json | None:
        while bookmarks and watch.queue.empty():
            waiting = asyncio.ensure_future(watch.queue.get())
            done, _ = await asyncio.wait((waiting,), timeout=_BOOKMARK)
            if done:
                return waiting.result()
            waiting.cancel()
            if not self.objects.deaf:
                version = {"resourceVersion": str(self.objects.version)}
                return {"type": "BOOKMARK", "object": {"kind": "Pod", "metadata": version}}
        return await watch.queue.get()


def _pairs(selector: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if part)


def _field(body: Json, path: str) -> Any:
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
