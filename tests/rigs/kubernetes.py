"""A stand-in for a Kubernetes API server with one node, for kubespawner.

It keeps namespaces, pods, volume claims, services, secrets and events, numbers every change, and serves
lists and watches as the real one does, with real streams. A pod is a local process with its own address;
its manifest must be valid by Kubernetes' own schemas.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from aiohttp import web

from tests.rigs.kubernetes_api import TOKEN, Api, Fault
from tests.rigs.kubernetes_objects import Json

T = TypeVar("T")


class Cluster:
    """The API server in a thread of its own, and what may happen to it."""

    def __init__(self, api: Api, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self._api = api
        self._loop = loop
        self.url = url

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def configuration(self, directory: Path, **user: str) -> Path:
        """Return a kubeconfig file for this cluster; `user` says how to log in, with the token by default."""
        file = directory / "kubeconfig"
        cluster = {"name": "test", "cluster": {"server": self.url}}
        credentials = {"name": "hub", "user": user or {"token": TOKEN}}
        context = {"name": "test", "context": {"cluster": "test", "user": "hub"}}
        parts = {
            "clusters": [cluster],
            "users": [credentials],
            "contexts": [context],
            "current-context": "test",
        }
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

    def clear(self) -> None:
        """Remove everything, and every fault."""

        async def clear() -> None:
            self._api.faults.clear()
            for place, body in list(self._api.objects.stored.items()):
                if place[0] == "pods":
                    await self._api.node.end(body)
                self._api.objects.put(place[0], body, "DELETED")

        self._do(clear())

    def leave_over(self, name: str) -> None:
        """Have a pod of this name that no hub knows, running."""
        labels = {"component": "singleuser-server"}
        env = [{"name": "JUPYTERHUB_SERVICE_URL", "value": "http://0.0.0.0:8888/user/nobody/"}]
        container = {"name": "notebook", "image": "left/over:1", "env": env}

        async def add() -> None:
            body = {"metadata": {"name": name, "labels": labels}, "spec": {"containers": [container]}}
            self._api.add(("pods", "default", name), body)

        self._do(add())

    def run_out_of_memory(self, name: str) -> None:
        """End a pod's server as the kernel does when it is over its limit."""
        self._do(self._api.node.run_out_of_memory(self._pod(name)))

    def asked(self, method: str, path: str) -> int:
        """Return how many requests there were whose path has this in it."""
        return sum(method == one and path in url for one, url in tuple(self._api.asked))

    def fail(
        self, method: str, kind: str, status: int, count: int = 1, *, after: bool = False, retry: str = ""
    ) -> None:
        """Have the next requests of a kind fail with a status, 0 for a connection that breaks off.

        With `after` they are carried out and only their answers are lost.
        """
        headers = (("Retry-After", retry),) if retry else ()
        fault = Fault(method, kind, status, count, after, headers)
        self._do(_now(lambda: self._api.faults.append(fault)))

    def fail_one(self, number: int, *, after: bool) -> None:
        """Break off the connection of the request that comes after so many others, watches not counted."""
        fault = Fault("", "", 0, 1, after, skip=number)
        self._do(_now(lambda: self._api.faults.append(fault)))

    def heal(self) -> bool:
        """Let every request through again; tell whether there was a fault that no request has met."""
        left = any(fault.left for fault in self._api.faults)
        self._do(_now(self._api.faults.clear))
        return left

    def change_token(self, token: str) -> None:
        """Believe another token from now on."""
        self._api.token = token

    def put(self, kind: str, body: Json) -> None:
        """Have an object that nobody asked for."""

        async def add() -> None:
            self._api.add((kind, body["metadata"]["namespace"], body["metadata"]["name"]), body)

        self._do(add())

    def break_watches(self) -> None:
        """Break all watches off."""

        async def end() -> None:
            self._api.objects.end_watches()

        self._do(end())

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Tell watches nothing before the block ends, and never what happened in it."""
        self._api.objects.deaf = True
        try:
            yield
        finally:
            self._api.objects.deaf = False

    @contextlib.contextmanager
    def no_room(self) -> Iterator[None]:
        """Have no machine for any pod before the block ends."""
        self._loop.call_soon_threadsafe(self._api.node.room.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._api.node.room.set)

    def annotate(self, name: str, annotations: dict[str, str]) -> None:
        """Give a pod annotations."""

        async def annotate() -> None:
            pod = self._pod(name)
            pod["metadata"]["annotations"] = annotations
            self._api.objects.put("pods", pod)

        self._do(annotate())

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


async def _now(work: Callable[[], object]) -> None:
    work()
