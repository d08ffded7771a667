"""Each server is driven by the class that its row names, with the settings of its profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from traitlets import Integer

from carrel.domain.errors import Invalid
from carrel.domain.profiles import select
from carrel.domain.servers import Actual
from carrel.lib.registry import name_of
from carrel.testing.fakes import FakeSpawner, FakeWorld
from carrel.testing.hub import TrialHub, open_test_hub


class Tent(FakeSpawner):
    """Another driver, with a setting of its own and its own record of what it was asked."""

    ropes = Integer(1).tag(config=True)
    asked: list[tuple[str, int]]

    async def poll(self) -> int | None:
        self.asked.append(("poll", self.ropes))
        return await super().poll()

    async def stop(self, now: bool = False) -> None:
        self.asked.append(("stop", self.ropes))
        await super().stop(now)

    async def find_orphans(self, known: Any) -> Any:
        """Leave the world to the other class: both see the same one here."""
        return []


class Tents:
    """A trial hub whose profile `tent` names another class than the configured one."""

    def __init__(self) -> None:
        self.world = FakeWorld()
        self.asked: list[tuple[str, int]] = []
        self.cls = type("Tent", (Tent,), {"world": self.world, "asked": self.asked})

    @property
    def sections(self) -> Mapping[str, Mapping[str, Any]]:
        ropes = {"type": "number", "min": 1, "max": 9, "sets": "ropes"}
        tent = {"id": "tent", "spawner": self.cls, "options": {"ropes": ropes}}
        house = {"id": "house", "overrides": {"environment": {"SIZE": "large"}}, "groups": ["staff"]}
        return {
            "Profiles": {"profiles": [{"id": "hut", "default": True}, tent, house]},
            "Spawner": {"environment": {"PLACE": "here"}, "poll_interval": 5},
        }


@pytest.fixture
def tents() -> Tents:
    return Tents()


async def settled(hub: TrialHub, options: Mapping[str, Any] | None) -> Actual:
    await hub.ask_start("ada", options)
    await hub.clock.settle()
    return (await hub.server()).actual


async def test_a_profile_chooses_class_and_settings(tents: Tents) -> None:
    async with open_test_hub(plugins=tents.sections) as hub:
        await hub.make_user("ada")
        assert await settled(hub, {"profile": "tent", "ropes": 4}) is Actual.RUNNING
        row = await hub.server()
        assert (row.spawner, row.profile) == (name_of(tents.cls), "tent")
        assert row.user_options == {"profile": "tent", "options": {"ropes": 4}}
        assert tents.world.calls[0][0] == "start"
        assert hub.world.calls == []
        await hub.stop()
        assert ("stop", 4) in tents.asked


async def test_the_next_hub_polls_and_stops_with_the_class_that_started_it(tents: Tents) -> None:
    async with open_test_hub(plugins=tents.sections) as hub:
        await hub.make_user("ada")
        await settled(hub, {"profile": "tent", "ropes": 3})
        await hub.restart(kill=True)
        tents.asked.clear()
        await hub.clock.advance(10)
        assert (await hub.server()).ready
        assert set(tents.asked) == {("poll", 3)}
        assert (await hub.stop()).actual is Actual.STOPPED
        assert ("stop", 3) in tents.asked
        assert tents.world.alive() == set()


async def test_a_changed_configuration_leaves_servers_with_their_class(tents: Tents) -> None:
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        assert (await hub.start()).ready
        first = hub.spawner_class
        tents.cls.__qualname__ = "Tent"
        hub.spawner_class = tents.cls
        hub.further = [first]
        await hub.restart()
        await hub.clock.advance(60)
        assert (await hub.server()).ready
        assert tents.asked == []
        assert (await hub.stop()).actual is Actual.STOPPED
        assert hub.world.alive() == set()
        assert (await hub.start()).spawner == name_of(tents.cls)


async def test_a_class_that_is_gone_is_told_and_loses_no_server(
    tents: Tents, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        started = await hub.start()
        kept, hub.spawner_class = hub.spawner_class, tents.cls
        await hub.restart()
        await hub.clock.advance(120)
        assert (await hub.server()).ready
        assert f"its spawner {started.spawner} is neither in the configuration nor installed" in caplog.text
        assert "c.Profiles.spawners" in caplog.text
        row = await hub.stop()
        assert row.failure is not None
        assert row.failure.message.startswith("The server cannot be stopped: its spawner ")
        assert len(hub.world.alive()) == 1
        hub.spawner_class = kept
        await hub.restart()
        await hub.clock.advance(60)
        assert (await hub.server()).actual is Actual.STOPPED
        assert hub.world.alive() == set()


async def test_what_is_not_to_be_chosen_is_refused_where_it_is_asked_for(tents: Tents) -> None:
    async with open_test_hub(plugins=tents.sections) as hub:
        await hub.make_user("ada")
        for options, field in (
            ({"profile": "house"}, "profile"),
            ({"profile": "tent", "ropes": 10}, "ropes"),
            ({"profile": "hut", "ropes": 1}, "ropes"),
            ({"cmd": "sh"}, "cmd"),
        ):
            with pytest.raises(Invalid) as refused:
                await hub.ask_start("ada", options)
            assert refused.value.field == field
        await hub.make_group("staff", "ada")
        assert await settled(hub, {"profile": "house"}) is Actual.RUNNING
        (server,) = hub.world.servers.values()
        assert (server.env["SIZE"], server.env["PLACE"]) == ("large", "here")


async def test_who_leaves_a_group_while_waiting_does_not_get_its_profile(tents: Tents) -> None:
    async with open_test_hub(plugins=tents.sections) as hub:
        ada = await hub.make_user("ada")
        await hub.make_group("staff", "ada")
        await hub.ask_start("ada", {"profile": "house"})
        async with hub.ctx.store.write() as tx:
            group = await tx.groups.get("staff")
            assert group is not None
            await tx.groups.remove(group.id, [ada.user.id])
        await hub.clock.settle()
        row = await hub.server()
        assert row.actual is Actual.FAILED
        assert row.failure is not None
        assert row.failure.code == "options-refused"
        assert "none that is called 'house'" in row.failure.message
        assert hub.world.calls == []


async def test_nothing_said_means_the_last_choice_and_at_first_the_default(tents: Tents) -> None:
    async with open_test_hub(plugins=tents.sections) as hub:
        await hub.make_user("ada")
        assert (await hub.start()).profile == "hut"
        await hub.stop()
        await settled(hub, {"profile": "tent", "ropes": 2})
        await hub.stop()
        assert (await hub.start()).profile == "tent"
        assert select(hub.ctx.profiles.fixed, (await hub.server()).user_options).values == {"ropes": 2}


async def test_a_function_makes_profiles_for_a_user_and_settings_for_a_spawner() -> None:
    async def profiles(user: Any) -> list[dict[str, Any]]:
        size = {"environment": lambda spawner: {"FOR": spawner.user.name}}
        return [{"id": f"for-{user.name}", "overrides": size}, {"id": "broken", "overrides": {"nothing": 1}}]

    async with open_test_hub(plugins={"Profiles": {"profiles": profiles}}) as hub:
        await hub.make_user("ada")
        row = await hub.start()
        assert (row.profile, row.ready) == ("for-ada", True)
        (server,) = hub.world.servers.values()
        assert server.env["FOR"] == "ada"
        await hub.stop()
        with pytest.raises(Invalid, match="none that is called 'broken'"):
            await hub.ask_start("ada", {"profile": "broken"})


async def test_a_function_for_kubespawner_is_given_a_spawner() -> None:
    def profile_list(spawner: Any) -> list[dict[str, Any]]:
        groups = [group.name for group in spawner.user.groups]
        place = {"environment": {"PLACE": f"{spawner.user.name} of {groups}"}}
        return [{"display_name": "For you", "kubespawner_override": place}]

    async with open_test_hub(plugins={"KubeSpawner": {"profile_list": profile_list}}) as hub:
        await hub.make_user("ada")
        await hub.make_group("class", "ada")
        row = await hub.start()
        assert (row.profile, row.ready) == ("for-you", True)
        (server,) = hub.world.servers.values()
        assert server.env["PLACE"] == "ada of ['class']"


async def test_a_profile_whose_settings_are_gone_keeps_its_servers(tents: Tents) -> None:
    async with open_test_hub(plugins=tents.sections) as hub:
        await hub.make_user("ada")
        await settled(hub, {"profile": "tent", "ropes": 3})
        hub.settings.plugins.Profiles.profiles = [{"id": "hut"}, {"id": "new", "spawner": tents.cls}]
        await hub.restart()
        await hub.clock.advance(30)
        assert (await hub.server()).ready
        assert tents.asked[-1] == ("poll", 1)
        assert (await hub.stop()).actual is Actual.STOPPED
