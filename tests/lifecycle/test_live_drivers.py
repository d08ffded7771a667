"""Drivers as plug-ins write them: what they keep on themselves is there until their run is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from carrel.core.drivers import driver_of
from carrel.domain.events import ServerChanged
from carrel.domain.servers import Actual
from carrel.lib.ids import digest, token_prefix
from carrel.spawners.base import Spawner
from carrel.testing.hub import TrialHub, open_test_hub


class Engine:
    """A world in which names are unique, as those of containers are."""

    def __init__(self) -> None:
        self.running: dict[str, str] = {}
        """Token by name."""
        self.stops = 0
        self.resume_with = ""
        self.break_stop = False
        self.hooks: list[object] = []


class Careless(Spawner):
    """Knows what it started by an attribute alone, and raises when it is asked to stop nothing."""

    engine: ClassVar[Engine]
    container: str

    def start(self) -> Any:
        if self.engine.resume_with:
            self.api_token = self.engine.resume_with
        self.container = f"{self.user.name}-{self.generation}"
        self.engine.running[self.container] = self.api_token
        return ("127.0.0.1", 4242)

    def stop(self, now: bool = False) -> None:
        self.engine.stops += 1
        if self.engine.break_stop:
            raise OSError("the engine is away")
        del self.engine.running[self.container]

    def poll(self) -> Any:
        return None if self.container in self.engine.running else "ExitCode=137, Error=''"


class Named(Careless):
    """Finds what it started by its name when it is polled, and not before."""

    def get_state(self) -> dict[str, Any]:
        return {"container": self.container} if hasattr(self, "container") else {}

    def load_state(self, state: Any) -> None:
        self.container = state["container"]

    def poll(self) -> Any:
        self.container = f"{self.user.name}-{self.generation}"
        return super().poll()


@pytest.fixture
def engine() -> Iterator[Engine]:
    Careless.engine = Engine()
    yield Careless.engine
    del Careless.engine


async def test_what_a_driver_keeps_on_itself_is_there_in_polls_and_the_stop(engine: Engine) -> None:
    async with open_test_hub(spawner_class=Careless) as hub:
        await hub.make_user("ada")
        assert (await hub.start()).ready
        await hub.clock.advance(100)
        assert (await hub.server()).ready
        assert (await hub.stop()).actual is Actual.STOPPED
        assert engine.running == {}
        assert hub.ctx.live.get(await hub.server()) is None


async def test_a_look_that_comes_late_leaves_the_next_run_its_driver(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_test_hub(spawner_class=Careless) as hub:
        await hub.make_user("ada")
        await hub.start()
        row = await hub.stop()
        reading, goes_on = hub.store.read, asyncio.Event()

        @asynccontextmanager
        async def read_slowly() -> AsyncIterator[Any]:
            monkeypatch.undo()
            async with reading() as tx:
                yield tx
            await goes_on.wait()

        monkeypatch.setattr(hub.store, "read", read_slowly)
        hub.ctx.bus.publish(ServerChanged(row.id, "ada", ""))
        await hub.clock.settle()
        await hub.ask_start()
        await hub.clock.advance(5)
        assert (await hub.server()).ready
        goes_on.set()
        await hub.clock.settle()
        assert hub.ctx.live.get(await hub.server()) is not None
        assert (await hub.stop()).actual is Actual.STOPPED
        assert engine.running == {}


async def test_who_asks_for_the_driver_of_an_earlier_run_leaves_the_present_one_its_own(
    engine: Engine,
) -> None:
    async with open_test_hub(spawner_class=Careless) as hub:
        await hub.make_user("ada")
        earlier = await hub.start()
        await hub.stop()
        present = await hub.start()
        driver = hub.ctx.live.get(present)
        assert await driver_of(hub.ctx, earlier) is not driver
        assert hub.ctx.live.get(present) is driver is not None


async def test_a_status_in_words_ends_a_run_with_its_number(engine: Engine) -> None:
    async with open_test_hub(spawner_class=Careless) as hub:
        await hub.make_user("ada")
        await hub.start()
        engine.running.clear()
        await hub.clock.advance(40)
        server = await hub.server()
        assert server.failure is not None
        assert (server.actual, server.failure.code) == (Actual.FAILED, "killed")
        # What is gone is not stopped again.
        assert engine.stops == 0


async def test_hooks_find_what_earlier_hooks_left_on_the_driver(engine: Engine) -> None:
    def before(spawner: Any) -> None:
        spawner.scratch = f"/scratch/{spawner.user.name}"

    def after(spawner: Any) -> None:
        engine.hooks.append(spawner.scratch)

    hooks = {"Spawner": {"pre_spawn_hook": before, "post_stop_hook": after}}
    async with open_test_hub(spawner_class=Careless, plugins=hooks) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.clock.advance(60)
        await hub.stop()
        assert engine.hooks == ["/scratch/ada"]


async def test_a_driver_sees_its_owner_as_they_are_now(engine: Engine) -> None:
    def after(spawner: Any) -> None:
        engine.hooks.append((spawner.user.groups, spawner.user.spawner is spawner))

    async with open_test_hub(spawner_class=Careless, plugins={"Spawner": {"post_stop_hook": after}}) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.make_group("physics", "ada")
        await hub.stop()
        assert engine.hooks == [(("physics",), True)]


async def test_after_a_restart_a_driver_has_its_state_alone(engine: Engine) -> None:
    async with open_test_hub(spawner_class=Named) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.restart()
        await hub.clock.advance(40)
        assert (await hub.server()).ready
        await hub.stop()
        assert engine.running == {}


async def test_a_start_cut_off_before_its_checkpoint_is_found_by_its_name_and_ended(engine: Engine) -> None:
    async with open_test_hub(spawner_class=Named) as hub:
        await hub.make_user("ada")
        hub.probe.answers = False
        await hub.start()
        assert engine.running
        row = await hub.server()
        async with hub.ctx.store.write() as tx:
            # What the row says when the hub dies within start().
            await tx.servers.save(replace(row, state={}, url=""))
        await hub.restart()
        await hub.clock.advance(120)
        server = await hub.server()
        assert (server.actual, server.failure and server.failure.code) == (Actual.FAILED, "lost")
        assert engine.running == {}


async def test_a_driver_that_fails_is_built_anew_where_a_checkpoint_knows_enough(engine: Engine) -> None:
    async with open_test_hub(spawner_class=Named) as hub:
        await hub.make_user("ada")
        await hub.start()
        first = hub.ctx.live.get(await hub.server())
        engine.break_stop = True
        await hub.stop()
        assert hub.ctx.live.get(await hub.server()) is not first
        engine.break_stop = False
        await hub.clock.advance(40)
        assert (await hub.server()).actual is Actual.STOPPED


class Nervous(Named):
    """Takes its own interruption for the end of its server, as commands that are killed make plug-ins do."""

    entered: ClassVar[asyncio.Event]

    def clear_state(self) -> None:
        super().clear_state()
        self.__dict__.pop("container", None)

    async def poll(self) -> Any:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.clear_state()
            return 1  # noqa: B012 - what it is about

    async def start(self) -> Any:
        where = super().start()
        await self.save_state()
        if self.user_options:
            await self.poll()
        return where


async def test_a_poll_that_is_cut_off_by_a_stop_leaves_nothing_behind(engine: Engine) -> None:
    Nervous.entered = asyncio.Event()
    async with open_test_hub(spawner_class=Nervous) as hub:
        await hub.make_user("ada")
        assert (await hub.start()).ready
        await hub.clock.advance(1)
        assert Nervous.entered.is_set()
        await hub.stop()
        await hub.clock.advance(10)
        assert (await hub.server()).actual is Actual.STOPPED
        assert engine.running == {}


async def test_a_start_that_is_cut_off_keeps_what_it_had_saved(engine: Engine) -> None:
    Nervous.entered = asyncio.Event()
    async with open_test_hub(spawner_class=Nervous) as hub:
        await hub.make_user("ada")
        await hub.ask_start(options={"slow": True})
        await hub.clock.advance(1)
        assert Nervous.entered.is_set()
        await hub.stop()
        await hub.clock.advance(10)
        assert (await hub.server()).actual is Actual.STOPPED
        assert engine.running == {}


async def _steps() -> AsyncIterator[dict[str, Any]]:
    yield {"progress": 30, "message": "on the way"}


@pytest.mark.parametrize("answer", [_steps, _steps()])
async def test_progress_may_be_a_property(engine: Engine, answer: Any) -> None:
    class Told(Careless):
        async def start(self) -> Any:
            await asyncio.sleep(5)
            return super().start()

        @property
        def progress(self) -> Any:
            return answer

    async with open_test_hub(spawner_class=Told) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.clock.advance(10)
        server = await hub.server()
        said = [step.message for step in hub.ctx.progress.of(server.id, server.generation)]
        assert "on the way" in said
        assert server.ready


# Tokens of what is resumed


async def _good(hub: TrialHub, secret: str) -> bool:
    async with hub.ctx.store.read() as tx:
        return await tx.tokens.find(token_prefix(secret), digest(secret)) is not None


async def test_a_resumed_container_keeps_its_token_and_the_fresh_one_ends(engine: Engine) -> None:
    made: list[str] = []
    hook = {"Spawner": {"pre_spawn_hook": lambda spawner: made.append(spawner.api_token)}}
    async with open_test_hub(spawner_class=Careless, plugins=hook) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.stop()
        old = engine.resume_with = made[0]
        assert not await _good(hub, old)
        assert (await hub.start()).ready
        assert made[1] != old
        assert (await _good(hub, old), await _good(hub, made[1])) == (True, False)
        async with hub.ctx.store.read() as tx:
            client = await tx.oauth.get_client("jupyterhub-user-ada")
        assert client is not None
        assert client.hashed_secret == digest(old)
        await hub.stop()
        assert not await _good(hub, old)


@pytest.mark.parametrize("whose", ["ada", "bea"])
async def test_a_resumed_token_of_anything_else_is_refused(engine: Engine, whose: str) -> None:
    async with open_test_hub(spawner_class=Careless) as hub:
        people = {name: await hub.make_user(name) for name in ("ada", "bea")}
        engine.resume_with = await hub.token_of(people[whose].user)
        await hub.start()
        await hub.clock.advance(5)
        server = await hub.server()
        assert server.actual is Actual.FAILED
        assert server.failure is not None
        assert "belongs to something else" in server.failure.message
        assert await _good(hub, engine.resume_with)
        assert engine.running == {}


@pytest.mark.parametrize("secret", ["short", "0" * 31])
async def test_a_resumed_token_that_could_be_guessed_is_refused(engine: Engine, secret: str) -> None:
    async with open_test_hub(spawner_class=Careless) as hub:
        await hub.make_user("ada")
        engine.resume_with = secret
        await hub.start()
        await hub.clock.advance(5)
        assert (await hub.server()).actual is Actual.FAILED
        assert not await _good(hub, secret)
