"""What is done with containers and images on an engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from carrel.spawners.docker import inspection
from carrel.spawners.docker.engine import Engine, EngineError
from carrel.spawners.docker.frames import Frames
from carrel.spawners.docker.images import Pull, Reference
from carrel.spawners.docker.registry import pull_headers
from carrel.spawners.errors import StartError
from carrel.spawners.reports import Usage

_GONE = 404
_CONFLICT = 409
#: How long a container may take to end or vanish once the engine was told, in seconds.
_VANISHING = 20.0
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Containers:
    """One engine's containers. Every method raises EngineError for what the engine does not do."""

    engine: Engine

    async def inspect(self, name: str) -> dict[str, Any] | None:
        """Return what the engine knows of a container, by id or name; None when there is none."""
        seen: dict[str, Any] | None = await self._unless_gone("GET", f"containers/{name}/json")
        return seen

    async def create(self, name: str, body: Mapping[str, Any]) -> tuple[str, list[str]]:
        """Create a container and return its id, and what the engine warns of."""
        query = {"name": name}
        wanted = dict(body)
        if "platform" in wanted:
            query["platform"] = wanted.pop("platform")
        made = await self.engine.call("POST", "containers/create", query, wanted)
        return str(made["Id"]), list(made.get("Warnings") or [])

    async def start(self, name: str) -> dict[str, Any] | None:
        """Start a container, unless it runs already, and return what `inspect` does."""
        await self.engine.call("POST", f"containers/{name}/start")
        return await self.inspect(name)

    async def end(self, name: str, seconds: int | None) -> None:
        """End a container and return when it has ended; None kills it at once. May be repeated."""
        try:
            if seconds is None:
                await self.engine.call("POST", f"containers/{name}/kill")
            else:
                limit = seconds + self.engine.address.timeout
                await self.engine.call("POST", f"containers/{name}/stop", {"t": seconds}, seconds=limit)
        except EngineError as error:
            # It has ended by itself meanwhile, or is gone.
            if error.status not in (_GONE, _CONFLICT):
                raise
        async with asyncio.timeout(_VANISHING):
            while (seen := await self.inspect(name)) is not None and inspection.is_running(seen):
                await asyncio.sleep(_LOOK)

    async def delete(self, name: str) -> None:
        """Remove a container with its nameless volumes, running or not; may be repeated."""
        try:
            await self._unless_gone("DELETE", f"containers/{name}", {"force": True, "v": True})
        except EngineError as error:
            if error.status != _CONFLICT:
                raise
        async with asyncio.timeout(_VANISHING):
            # Somebody else may be removing it.
            while await self.inspect(name) is not None:
                await asyncio.sleep(_LOOK)

    async def set_aside(self, name: str, new_name: str) -> None:
        """Give a container another name."""
        await self.engine.call("POST", f"containers/{name}/rename", {"name": new_name})

    async def find(self, marks: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the containers with all of these labels, those that have ended included."""
        labels = {"label": [f"{key}={value}" for key, value in marks.items()]}
        found = await self.engine.call("GET", "containers/json", {"all": True, "filters": labels})
        return list(found)

    async def log(self, name: str, lines: int) -> str:
        """Return the last lines that a container wrote."""
        query = {"stdout": True, "stderr": True, "tail": str(lines)}
        return inspection.log_text(await self.engine.read(f"containers/{name}/logs", query))

    async def output(self, seen: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        """Yield what a running container writes in this run, until it ends; `seen` is from `inspect`."""
        query: dict[str, object] = {"stdout": True, "stderr": True, "follow": True}
        if before := inspection.ended_before(seen):
            query["since"] = before
        frames = None if seen["Config"].get("Tty") else Frames()
        async with aclosing(self.engine.stream(f"containers/{seen['Id']}/logs", query)) as pieces:
            async for piece in pieces:
                yield frames.feed(piece) if frames is not None else piece

    async def usage(self, name: str) -> Usage | None:
        """Return what a container uses, None when it does not run."""
        query = {"stream": False, "one-shot": True}
        stats = await self._unless_gone("GET", f"containers/{name}/stats", query)
        return inspection.usage_of(stats) if stats else None

    async def run_inside(self, name: str, words: Sequence[str]) -> tuple[int, str]:
        """Run a command in a container, and return its status and what it wrote."""
        body = {"Cmd": list(words), "AttachStdout": True, "AttachStderr": True}
        made = await self.engine.call("POST", f"containers/{name}/exec", body=body)
        output = await self.engine.output(f"exec/{made['Id']}/start", {"Detach": False, "Tty": False})
        done = await self.engine.call("GET", f"exec/{made['Id']}/json")
        return int(done.get("ExitCode") or 0), inspection.log_text(output)

    async def image(self, image: str) -> dict[str, Any] | None:
        """Return what the engine knows of an image, None when it does not have it."""
        seen: dict[str, Any] | None = await self._unless_gone("GET", f"images/{image}/json")
        return seen

    async def provide(
        self, image: Reference, policy: str, environ: Mapping[str, str], tell: Callable[[int, str], None]
    ) -> None:
        """Pull an image when the policy says so, telling percent and a sentence on the way.

        Credentials are those of `environ`'s account. Raises StartError when it is not there and may not be
        pulled.
        """
        if policy == "skip" or (policy != "always" and await self.image(image.text) is not None):
            return
        if policy == "never" or not image.tag:
            raise StartError(f"No such image: {image.text}", hint=_NO_PULL)
        headers = await pull_headers(image.registry, environ)
        pull = Pull(image.text)
        tell(0, f"Pulling {image.text}")
        query = {"fromImage": image.repository, "tag": image.tag}
        async for line in self.engine.lines("images/create", query, headers):
            if line.get("error"):
                raise EngineError(0, f"{image.text} cannot be pulled: {line['error']}")
            if (sentence := pull.hear(line)) is not None:
                tell(pull.percent, sentence)

    async def _unless_gone(self, method: str, path: str, query: Mapping[str, object] | None = None) -> Any:
        try:
            return await self.engine.call(method, path, query)
        except EngineError as error:
            if error.status == _GONE:
                return None
            raise


_NO_PULL = "The administrator has to pull or build it there, or change c.DockerSpawner.pull_policy."
