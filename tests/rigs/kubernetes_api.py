"""The HTTP side of the stand-in for Kubernetes."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
from aiohttp import web

from tests.rigs.kubernetes_node import Node
from tests.rigs.kubernetes_objects import KINDS, Json, Objects, Place, Refused, Watch

VERSION = "1.30"


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


def _pairs(selector: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in selector.replace("==", "=").split(",") if part)


def _field(body: Json, path: str) -> Any:
    value: Any = body
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value
