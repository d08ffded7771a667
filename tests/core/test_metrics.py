"""Who may read metrics, and that the numbers are those of the database."""

from __future__ import annotations

from pathlib import Path
from subprocess import DEVNULL

import pytest
from prometheus_client.parser import text_string_to_metric_families

from carrel.core.login import log_in, log_out
from carrel.core.metrics import read_metrics, timed
from carrel.domain.errors import Forbidden
from carrel.domain.events import Event, Work, WorkDone
from carrel.lib.processes import Program
from carrel.spawners.scripts import Obstacle
from carrel.spawners.shared import Measure
from carrel.spawners.warm import WarmStarts
from carrel.testing.hub import TrialHub, open_test_hub


async def values(hub: TrialHub, *scopes: str) -> dict[str, float]:
    caller = hub.caller_of((await hub.find("root")).user, *(scopes or ("read:metrics",)))
    body = (await read_metrics(hub.ctx, caller)).body.decode()
    return {
        sample.name + "".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def test_users_and_servers_are_counted() -> None:
    async with open_test_hub() as hub:
        for name in ("ada", "bea", "root"):
            await hub.make_user(name)
        await hub.start("ada")
        await hub.start("bea")
        await hub.stop("bea")
        now = hub.clock.now()
        async with hub.ctx.store.write() as tx:
            ids = {user.name: user.id for user in await tx.users.named(["ada", "bea", "root"])}
            await tx.users.touch({ids["ada"]: now - 3600, ids["bea"]: now - 8 * 86400})
        found = await values(hub)
    assert (found["jupyterhub_total_users"], found["jupyterhub_running_servers"]) == (3, 1)
    periods = {name: found[f"jupyterhub_active_users{name}"] for name in ("24h", "7d", "30d")}
    assert periods == {"24h": 1, "7d": 1, "30d": 2}


async def test_the_life_of_a_server_is_timed() -> None:
    async with open_test_hub() as hub:
        await hub.make_user("root")
        hub.ctx.bus.listen(hub.ctx.metrics.heed)
        await hub.start("root")
        await hub.stop("root")
        found = await values(hub)
    for name in ("server_spawn_duration", "server_stop", "proxy_add_duration", "proxy_delete_duration"):
        counts = [value for key, value in found.items() if key.startswith(f"jupyterhub_{name}_seconds_count")]
        assert sum(counts) == 1, name
    assert found["jupyterhub_server_stop_seconds_countsuccess"] == 1


@pytest.mark.parametrize("scopes", [("read:users",), ("read:hub", "admin:users"), ("self",)])
async def test_it_takes_the_scope(scopes: tuple[str, ...]) -> None:
    async with open_test_hub() as hub:
        await hub.make_user("root")
        with pytest.raises(Forbidden, match="read:metrics"):
            await values(hub, *scopes)
        with pytest.raises(Forbidden):
            await read_metrics(hub.ctx, None)


async def test_everybody_reads_them_where_that_is_wanted() -> None:
    async with open_test_hub(authenticate_prometheus=False, metrics_prefix="campus") as hub:
        assert b"campus_total_users 0.0" in (await read_metrics(hub.ctx, None)).body


async def test_sign_in_and_out_are_timed() -> None:
    events: list[Event] = []
    async with open_test_hub(plugins={"Authenticator": {"allow_all": True}}) as hub:
        hub.ctx.bus.listen(events.append)
        await log_in(hub.ctx, {"username": "ada", "password": "x"})
        await log_in(hub.ctx, {"username": "", "password": "x"})
        await log_out(hub.ctx, await hub.find("ada"))
    told = [(event.work, event.status) for event in events if isinstance(event, WorkDone)]
    assert told == [(Work.LOG_IN, "success"), (Work.LOG_IN, "failure"), (Work.LOG_OUT, "success")]


class Watched:
    """Something that drivers share."""

    def measures(self) -> list[Measure]:
        text = "How old what is known is"
        return [
            Measure("staleness_seconds", text, (("kind", kind),), age)
            for kind, age in (("pods", 2.5), ("events", 7))
        ]

    async def close(self) -> None:
        return


async def test_what_drivers_measure_is_among_them() -> None:
    async with open_test_hub() as hub:
        await hub.make_user("root")
        hub.ctx.shared.get("watched", Watched)
        found = await values(hub)
    assert found["jupyterhub_staleness_secondspods"] == 2.5
    assert found["jupyterhub_staleness_secondsevents"] == 7


async def test_why_servers_are_not_started_from_templates_is_among_them(tmp_path: Path) -> None:
    starts = WarmStarts(tmp_path)
    assert await starts.launch(Program(argv=["true"], env={}), DEVNULL, ["carrel-singleuser"]) is None
    async with open_test_hub() as hub:
        await hub.make_user("root")
        assert not [name for name in await values(hub) if "warm" in name]
        hub.ctx.hub.warm_starts = starts
        found = await values(hub)
    warm = {name.removeprefix("jupyterhub_warm_"): found[name] for name in found if "_warm_" in name}
    reasons = {f"start_fallbacks_total{obstacle}": 0.0 for obstacle in Obstacle}
    assert warm == {**reasons, "start_fallbacks_totalcommand": 1, "starts_total": 0, "templates": 0}


async def test_what_raises_has_failed() -> None:
    events: list[Event] = []
    async with open_test_hub() as hub:
        hub.ctx.bus.listen(events.append)
        with pytest.raises(ZeroDivisionError), timed(hub.ctx, Work.STOP):
            raise ZeroDivisionError
    assert [(event.work, event.status) for event in events if isinstance(event, WorkDone)] == [
        (Work.STOP, "failure")
    ]
