"""The life of a container: started, polled, stopped, found again."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import aclosing
from typing import Any

from traitlets import Unicode

from carrel.spawners.base import Spawner
from carrel.spawners.docker import images, inspection, manifest, marks
from carrel.spawners.docker.containers import Containers
from carrel.spawners.docker.engine import EngineError
from carrel.spawners.docker.repositories import label_of, put_before
from carrel.spawners.errors import StartError
from carrel.spawners.ports import Ports
from carrel.spawners.preparing import OutputLost, Prepares
from carrel.spawners.reports import Orphan, Usage

#: Statuses of a container in which nothing of value is: its command could not be run.
_NEVER_RAN = (126, 127)
#: Between which values a pull moves the bar of the pending page.
_PULL_FROM, _PULL_TO = 20, 55
_STARTED = _PULL_TO + 3
#: Where no server is: the port that throws everything away, which nobody opens any more.
_NOWHERE = ("127.0.0.1", 9)


class ContainerRuns(Prepares, Spawner):
    """A driver of containers, but for its settings and what is made of them."""

    repository_program = ("carrel-repository",)

    image: str
    remove: bool
    pull_policy: str
    stop_timeout: int
    post_start_cmd: Any
    volumes: Any
    read_only_volumes: Any

    object_id = Unicode()
    """The container's id."""
    _way: str = ""
    """How its server is reached. Hooks and options may have changed settings at the start alone."""
    _news: asyncio.Queue[dict[str, Any] | None] | None = None
    _chose_port: bool = False

    # What the settings say

    @property
    def object_name(self) -> str:
        """Return the container's name."""
        raise NotImplementedError

    async def _plan(self) -> manifest.Plan:
        """Return the container as the settings want it."""
        raise NotImplementedError

    def _containers(self) -> Containers:
        raise NotImplementedError

    def _network(self) -> str:
        raise NotImplementedError

    def _chosen_way(self) -> str:
        raise NotImplementedError

    def _where(self, seen: Mapping[str, Any]) -> tuple[str, int]:
        """Return where a running container's server is reached from here."""
        raise NotImplementedError

    def _marks(self) -> dict[str, str]:
        run = (self.server_id, self.generation)
        return marks.make(self.hub.hub_id, run, self.user.name, remove=self.remove)

    # The checkpoint

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a checkpoint, dockerspawner's included."""
        super().load_state(state)
        self.object_id, self._way = str(state.get("object_id") or ""), str(state.get("way") or "")
        self._preparation.lasts = bool(state.get("preparing"))
        if state.get("port"):
            self.server.ip, self.server.port = str(state.get("ip") or ""), int(state["port"])

    def get_state(self) -> dict[str, Any]:
        """Return the container and where its server listens."""
        state = super().get_state()
        if self.object_id:
            state |= {"object_id": self.object_id, "object_name": self.object_name}
            state |= {"ip": self.server.ip, "port": self.server.port, "way": self._way}
            state |= self._preparation.as_state()
        return state

    def clear_state(self) -> None:
        """Forget the container."""
        super().clear_state()
        self.object_id = self._way = ""
        if self._chose_port:
            self.port, self._chose_port = 0, False

    # Start

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Yield how far the pull of the image is, and what follows."""
        news = self._news = self._news or asyncio.Queue()
        while (event := await news.get()) is not None:
            yield event

    def _say(self, progress: int, message: str) -> None:
        self._news = self._news or asyncio.Queue()
        self._news.put_nowait({"progress": progress, "message": message})

    async def start(self) -> tuple[str, int]:
        """Start a container, or the one of the last time again, and return where its server will listen.

        Raises StartError for what cannot be obeyed, EngineError for what the engine does not do.
        """
        if self._network() == "host" and not self.port:
            self.port, self._chose_port = self.shared.get((Ports,), Ports).take(""), True
        self._way = self._chosen_way()
        resumed = await self._resumable()
        if resumed is not None:
            self._take_token(resumed)
            self.object_id = str(resumed["Id"])
        else:
            await self._provide_image()
            self._say(_PULL_TO, "Creating the container")
            self.object_id = await self._create()
        self._preparation.lasts = bool(self.repository)
        await self.save_state()
        return await self._launch()

    async def resume_start(self) -> tuple[str, int] | None:
        """Go on with a start that was cut off between the container's creation and its first answer.

        None when there is no container, or it has ended, unless it ended while it got a repository ready.
        """
        seen = await self._containers().inspect(self.object_id) if self.object_id else None
        if seen is None:
            return None
        if inspection.was_started(seen) and not inspection.is_running(seen):
            return self._nowhere() if self._preparation.lasts else None
        if not marks.are_of_run(seen["Config"].get("Labels"), self._marks()):
            self._take_token(seen)
        return await self._launch()

    def _take_token(self, seen: Mapping[str, Any]) -> None:
        # An earlier run made it, and its variables cannot be changed: its token becomes this run's.
        self.api_token = inspection.environment(seen).get("JUPYTERHUB_API_TOKEN", "")

    async def _launch(self) -> tuple[str, int]:
        self._say(_STARTED, "Starting the container")
        seen = await self._containers().start(self.object_id)
        if seen is None or not inspection.is_running(seen):
            return self._nowhere()
        self.server.ip, self.server.port = self._where(seen)
        command = self.post_start_cmd
        if command and command is not True:
            words = shlex.split(command) if isinstance(command, str) else command
            status, said = await self._containers().run_inside(self.object_id, words)
            if status:
                name = self.object_name
                self.log.warning("post_start_cmd ended with %s in %s: %s", status, name, said[-500:])
        await self._await_repository(seen)
        return self.server.ip, self.server.port

    def _nowhere(self) -> tuple[str, int]:
        # It has ended already, and has no address: the hub will look, and say why by its status and log.
        self.server.ip, self.server.port = _NOWHERE
        return _NOWHERE

    async def _await_repository(self, seen: Mapping[str, Any]) -> None:
        def tell(percent: int, sentence: str) -> None:
            self._say(_STARTED + percent * (100 - _STARTED) // 100, sentence)

        async with aclosing(self._output(seen)) as output:
            await self._preparation.wait(self, output, tell)

    async def _output(self, seen: Mapping[str, Any]) -> AsyncGenerator[bytes, None]:
        try:
            async with aclosing(self._containers().output(seen)) as pieces:
                async for piece in pieces:
                    yield piece
        except EngineError as error:
            # A logging driver may keep nothing that can be read here.
            self.log.info("The log of %s cannot be followed: %s", self.object_name, error)
            raise OutputLost from error

    async def _resumable(self) -> dict[str, Any] | None:
        """Return the container of an earlier run that is to be started again; one in the way is removed."""
        seen = await self._containers().inspect(self.object_name)
        if seen is None:
            return None
        self._check_owner(seen)
        name, spent = str(seen["Id"]), inspection.exit_code(seen) in _NEVER_RAN
        if self.remove or not inspection.was_started(seen) or spent:
            await self._containers().delete(name)
            return None
        if inspection.is_running(seen):
            await self._containers().end(name, self.stop_timeout)
        if seen["Config"].get("Image") not in (self.image, images.parse_image(self.image).text):
            await self._set_aside(name, "image")
            return None
        if (seen["Config"].get("Labels") or {}).get(marks.REPOSITORY, "") != label_of(self.repository):
            # What it runs each time cannot be changed.
            await self._set_aside(name, "repository")
            return None
        return seen

    async def _set_aside(self, name: str, why: str) -> None:
        """Make room for a container that is made of another image or repository."""
        # What was written into it is its owner's: it is kept, out of the way.
        aside = f"{self.object_name}-before-{name[:12]}"
        await self._containers().set_aside(name, aside)
        self.log.warning("%s was made of another %s; it is kept as %s", self.object_name, why, aside)

    def _check_owner(self, seen: Mapping[str, Any]) -> None:
        if not marks.belongs(seen, self._marks(), (self.user.name, self.name)):
            raise StartError(
                f"There is a container called {self.object_name} that is not this server's.",
                hint="The administrator has to remove it, or change c.DockerSpawner.prefix or name_template.",
            )

    async def _provide_image(self) -> None:
        def tell(percent: int, sentence: str) -> None:
            self._say(_PULL_FROM + percent * (_PULL_TO - _PULL_FROM) // 100, sentence)

        image = images.parse_image(self.image)
        await self._containers().provide(image, self.pull_policy, os.environ, tell)

    async def _create(self) -> str:
        plan = await self._plan()
        body = manifest.container_body(plan)
        if self.repository:
            seen = await self._containers().image(images.parse_image(self.image).text)
            body = put_before(body, self.preparation(), (seen or {}).get("Config") or {})
        # Also when it is empty: an image may have labels.
        body["Labels"][marks.REPOSITORY] = label_of(self.repository)
        made, warnings = await self._containers().create(plan.name, body)
        for warning in warnings:
            self.log.warning("Docker says of %s: %s", plan.name, warning)
        return made

    # Poll and stop

    async def poll(self) -> int | None:
        """Return None while the container lives, else its status; raises EngineError when nobody knows."""
        seen = await self._containers().inspect(self.object_id) if self.object_id else None
        if seen is None:
            return 0
        if not inspection.is_running(seen):
            return inspection.exit_code(seen)
        if self.server.port:
            # The engine may have started it anew, with another address.
            self.server.ip, self.server.port = self._where(seen)
        return None

    async def stop(self, now: bool = False) -> None:
        """Stop the container, at once if `now`, and remove it if `remove` says so or it was never started."""
        if not self.object_id:
            return
        seen = await self._containers().inspect(self.object_id)
        if seen is None:
            return
        if inspection.is_running(seen):
            await self._containers().end(self.object_id, None if now else self.stop_timeout)
        if self._goes(seen):
            await self._containers().delete(self.object_id)

    def _goes(self, seen: Mapping[str, Any]) -> bool:
        labels = seen["Config"].get("Labels") or {}
        return self.remove or labels.get(marks.REMOVE) == "true" or not inspection.was_started(seen)

    async def run_post_stop_hook(self) -> None:
        """Remove a container that has ended by itself, if `remove`; then call the deployer's hook."""
        if self.object_id:
            seen = await self._containers().inspect(self.object_id)
            if seen is not None and not inspection.is_running(seen) and self._goes(seen):
                await self._containers().delete(self.object_id)
        await super().run_post_stop_hook()

    async def rename(self, old_name: str, new_name: str) -> None:
        """Refuse while a container or a volume goes by the server's name; nothing else is kept under it."""
        self._check_volume_names()
        if await self._containers().inspect(self.object_name) is not None:
            raise StartError(
                f"Its container {self.object_name} goes by its name, and has to be removed first."
            )

    def _check_volume_names(self) -> None:
        sources = [*self.volumes, *self.read_only_volumes]
        if any("servername}" in str(source) for source in sources):
            raise StartError("Its volumes go by its name, and cannot be renamed.")

    async def delete_forever(self) -> None:
        """Remove what is left of a deleted server: its containers. Volumes that have a name stay."""
        for seen in await self._containers().find(marks.of_server(self._marks())):
            await self._containers().delete(str(seen["Id"]))

    # What runs

    async def logs(self, tail: int = 200) -> str:
        """Return the last lines of the container, and what the engine knows of its end."""
        seen = await self._containers().inspect(self.object_id) if self.object_id else None
        if seen is None:
            return ""
        try:
            text = await self._containers().log(self.object_id, tail)
        except EngineError as error:
            # A logging driver may keep nothing that can be read here.
            self.log.info("The log of %s cannot be read: %s", self.object_name, error)
            text = ""
        return "\n".join(part for part in (text.rstrip("\n"), inspection.last_words(seen)) if part)

    async def usage(self) -> Usage | None:
        """Return what the container uses now; None when it does not run."""
        return await self._containers().usage(self.object_id) if self.object_id else None

    async def find_orphans(self, known: Collection[tuple[int, int]]) -> list[Orphan]:
        """Return this hub's containers that are none of the known runs and should be gone."""
        if not self.hub.hub_id:
            return []
        return marks.orphans(await self._containers().find({marks.HUB: self.hub.hub_id}), known)

    async def recognize(self, orphan: Orphan) -> bool:
        """Take over a container that has the marks of this run."""
        seen = await self._containers().inspect(str(orphan.state["object_id"]))
        if seen is None or not marks.are_of_run(seen["Config"].get("Labels"), self._marks()):
            return False
        self.load_state(orphan.state)
        self._way = self._chosen_way()
        if inspection.is_running(seen):
            self.server.ip, self.server.port = self._where(seen)
        return True
