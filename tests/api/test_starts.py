"""Starting, stopping and watching a server: statuses, limits, progress, and why a start failed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from carrel.app.web_app import build_web_app
from carrel.spawners.reports import Waiting
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub
from tests.api.conftest import Clients
from tests.api.rig import API, client_of


async def test_starting_and_stopping(hub: TrialHub, clients: Clients) -> None:
    started = await clients["bea"].post(f"{API}/users/bea/server", json={"size": "big"})
    assert (started.status_code, started.content) == (201, b"")
    assert (await hub.server("bea")).user_options == {"size": "big"}
    again = await clients["bea"].post(f"{API}/users/bea/server")
    assert (again.status_code, again.json()["message"]) == (400, "bea is already running")
    stopped = await clients["bea"].delete(f"{API}/users/bea/server")
    assert (stopped.status_code, stopped.content) == (204, b"")
    assert (await clients["bea"].delete(f"{API}/users/bea/server")).status_code == 204


async def test_slow_starts_and_stops_are_accepted(hub: TrialHub, clients: Clients) -> None:
    hub.world.scripts["bea"] = Script(start_delay=15, stop_delay=15)
    asking = asyncio.create_task(clients["bea"].post(f"{API}/users/bea/server"))
    await hub.clock.advance(11)
    assert (await asking).status_code == 202
    assert (await clients["bea"].get(f"{API}/users/bea")).json()["pending"] == "spawn"
    await hub.clock.advance(5)
    stopping = asyncio.create_task(clients["bea"].delete(f"{API}/users/bea/server"))
    await hub.clock.advance(11)
    reply = await stopping
    assert (reply.status_code, reply.content) == (202, b"")
    again = await clients["bea"].post(f"{API}/users/bea/server")
    assert (again.status_code, again.json()["message"]) == (400, "bea is pending stop")


async def test_two_who_start_at_once_get_the_same_start(hub: TrialHub, clients: Clients) -> None:
    hub.world.scripts["bea"] = Script(start_delay=3)
    asking = [
        asyncio.create_task(clients[who].post(f"{API}/users/bea/server")) for who in ("bea", "root", "bea")
    ]
    await hub.clock.advance(4)
    assert [(await one).status_code for one in asking] == [201, 201, 201]
    assert sum(call == "start" for call, key in hub.world.calls if key[0] == 2) == 1


async def test_a_start_that_waits_says_how_long_the_line_is() -> None:
    async with open_test_hub(concurrent_spawn_limit=1, slow_spawn_timeout=0) as hub:
        hub.world.script.start_delay = 50
        for name in ("ada", "bea", "cleo"):
            await hub.make_user(name)
            await hub.ask_start(name)
            await hub.clock.settle()
        token = await hub.token_of((await hub.find("cleo")).user)
        async with client_of(build_web_app(hub.ctx), token) as client:
            server = (await client.get(f"{API}/users/cleo/server")).json()
            assert (server["pending"], server["queue_position"]) == ("spawn", 1)
            assert (await client.get(f"{API}/users/cleo")).json()["servers"][""]["queue_position"] == 1
            assert (await client.get(f"{API}/user")).json()["servers"][""]["queue_position"] == 1
            await hub.clock.advance(101)
            server = (await client.get(f"{API}/users/cleo/server")).json()
            assert (server["pending"], "queue_position" in server) == ("spawn", False)


async def test_a_start_that_waits_for_a_device_says_so_and_a_server_what_it_has() -> None:
    sections = {"Spawner": {"devices": {"gpu": 1}}}
    async with open_test_hub(plugins=sections, device_pools={"gpu": ["a"]}, slow_spawn_timeout=0) as hub:
        for name in ("ada", "bea", "cleo"):
            await hub.make_user(name)
            await hub.ask_start(name)
            await hub.clock.advance(1)
        admin = await hub.make_user("root", admin=True)
        async with client_of(build_web_app(hub.ctx), await hub.token_of(admin.user)) as client:
            found = {user["name"]: user["servers"] for user in (await client.get(f"{API}/users")).json()}
            ada, bea, cleo = (found[name][""] for name in ("ada", "bea", "cleo"))
            assert (ada["devices"], "waits_for" in ada) == ({"gpu": ["a"]}, False)
            assert (bea["waits_for"], bea["queue_position"], "devices" in bea) == (["gpu"], 0, False)
            assert (cleo["waits_for"], cleo["queue_position"], cleo["pending"]) == (["gpu"], 1, "spawn")
            single = (await client.get(f"{API}/users/cleo/server")).json()
            assert (single["waits_for"], single["queue_position"]) == (["gpu"], 1)
        token = await hub.token_of((await hub.find("ada")).user)
        async with client_of(build_web_app(hub.ctx), token) as client:
            assert (await client.get(f"{API}/user")).json()["servers"][""]["devices"] == {"gpu": ["a"]}


async def test_a_start_in_the_queue_of_its_back_end_says_where_it_stands() -> None:
    async with open_test_hub(slow_spawn_timeout=0) as hub:
        hub.world.script = Script(queued=Waiting(4, 1_900_000_000.0))
        await hub.make_user("ada")
        await hub.ask_start()
        await hub.clock.advance(2)
        token = await hub.token_of((await hub.find("ada")).user)
        app = build_web_app(hub.ctx)
        async with client_of(app, token) as client:
            for server in (
                (await client.get(f"{API}/users/ada/server")).json(),
                (await client.get(f"{API}/users/ada")).json()["servers"][""],
                (await client.get(f"{API}/user")).json()["servers"][""],
            ):
                assert server["queue_position"] == 4
                assert server["expected_start"].startswith("2030-03-17T17:46:40")
            watching = asyncio.create_task(client.get(f"{API}/users/ada/server/progress"))
            await hub.clock.advance(1)
            hub.world.script.queued = None
            await hub.clock.advance(3)
            steps = _events((await watching).text)
            (step,) = (step for step in steps if "queue_position" in step)
            assert (step["queue_position"], step["expected_start"]) == (4, server["expected_start"])
            assert step["message"].startswith("Waiting in the queue: 4 before it")
            server = (await client.get(f"{API}/users/ada/server")).json()
            assert (server["ready"], "queue_position" in server) == (True, False)


async def test_a_start_beyond_the_limits_is_refused_where_the_settings_say_so() -> None:
    settings = {"concurrent_spawn_limit": 1, "spawn_throttle_retry_range": (20, 25)}
    async with open_test_hub(None, work=True, **settings) as hub:  # type: ignore[arg-type]
        hub.world.script.start_delay = 50
        for name in ("ada", "bea"):
            await hub.make_user(name)
        await hub.start("ada")
        token = await hub.token_of((await hub.find("bea")).user)
        async with client_of(build_web_app(hub.ctx), token) as client:
            reply = await client.post(f"{API}/users/bea/server")
        assert reply.status_code == 429
        assert 20 <= int(reply.headers["retry-after"]) <= 25
        assert reply.json()["code"] == "too-many-starting"
        assert reply.json()["message"].startswith("Too many servers are starting now")


def _rename(spawner: Any, event: dict[str, Any]) -> dict[str, Any]:
    return event | {"message": f"Welcome, {spawner.user.name}"}


@pytest.mark.parametrize(
    ("hook", "message"),
    [
        (_rename, "Welcome, ada"),
        (lambda spawner, event: None, "Server ready at /user/ada/"),
        (lambda spawner, event: 1 / 0, "Server ready at /user/ada/"),
        (lambda spawner, event: {"message": object()}, "Server ready at /user/ada/"),
    ],
)
async def test_the_deployer_may_change_the_last_step(hook: Any, message: str) -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"progress_ready_hook": hook}}) as hub:
        await hub.make_user("ada")
        await hub.start()
        token = await hub.token_of((await hub.find("ada")).user)
        async with client_of(build_web_app(hub.ctx), token) as client:
            events = _events((await client.get(f"{API}/users/ada/server/progress")).text)
        assert (events[-1]["ready"], events[-1]["message"]) == (True, message)


async def test_a_start_that_fails_says_why(hub: TrialHub, clients: Clients) -> None:
    hub.world.scripts["bea"] = Script(start_error=RuntimeError("no room"))
    reply = await clients["bea"].post(f"{API}/users/bea/server")
    assert reply.status_code == 500
    message = "The server could not be started: no room"
    failure = reply.json().pop("failure")
    assert reply.json() == {"status": 500, "message": message, "failure": failure}
    assert (failure["code"], failure["message"], failure["log"]) == ("start-error", message, "")
    assert failure["hint"].startswith("Try again")
    assert (await clients["bea"].get(f"{API}/users/bea/server")).json()["failure"] == failure


@pytest.mark.parametrize(
    ("reader", "scopes", "sees"),
    [
        ("bea", (), True),
        ("root", (), True),
        ("bea", ("read:servers",), False),
        ("bea", ("read:servers", "access:servers"), True),
        ("root", ("read:servers",), False),
    ],
)
async def test_a_server_s_log_is_for_who_may_open_it_and_for_admins(
    hub: TrialHub, reader: str, scopes: tuple[str, ...], sees: bool
) -> None:
    hub.world.scripts["bea"] = Script(
        start_error=RuntimeError("no room"), leave_on_error=True, log="a line of bea's"
    )
    await hub.start("bea")
    token = await hub.token_of((await hub.find(reader)).user, *scopes)
    async with client_of(build_web_app(hub.ctx), token) as client:
        failure = (await client.get(f"{API}/users/bea/server")).json()["failure"]
        last = _events((await client.get(f"{API}/users/bea/server/progress")).text)[-1]
    assert failure == last["failure"]
    assert failure.get("log") == ("a line of bea's" if sees else None)


async def test_a_server_that_has_not_failed_has_no_failure(clients: Clients) -> None:
    assert "failure" not in (await clients["ada"].get(f"{API}/users/ada/server")).json()


def _events(body: str) -> list[dict[str, Any]]:
    return [
        json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")
    ]


async def test_progress(hub: TrialHub, clients: Clients) -> None:
    hub.world.scripts["bea"] = Script(start_delay=20)
    assert (await clients["bea"].get(f"{API}/users/bea/server/progress")).status_code == 404
    await hub.ask_start("bea")
    watching = asyncio.create_task(clients["bea"].get(f"{API}/users/bea/server/progress"))
    await hub.clock.advance(21)
    reply = await watching
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.text.count("\n\n\n\n") >= 1
    events = _events(reply.text)
    assert [event["progress"] for event in events] == [0, 20, 50, 60, 100]
    last = events[-1]
    assert (last["ready"], last["url"]) == (True, "/user/bea/")
    assert last["html_message"] == 'Server ready at <a href="/user/bea/">/user/bea/</a>'
    await hub.stop("bea")
    assert (await clients["bea"].get(f"{API}/users/bea/server/progress")).status_code == 400


async def test_progress_of_a_failure(hub: TrialHub, clients: Clients) -> None:
    hub.world.scripts["bea"] = Script(start_error=RuntimeError("no <room>"))
    await hub.start("bea")
    events = _events((await clients["bea"].get(f"{API}/users/bea/server/progress")).text)
    assert [event["progress"] for event in events[:-1]] == [0, 20, 50, 99]
    last = events[-1]
    assert last.keys() == {"progress", "failed", "message", "html_message", "failure"}
    assert (last["progress"], last["failed"]) == (100, True)
    assert last["message"] == "The server could not be started: no <room>"
    assert last["html_message"].startswith("The server could not be started: no &lt;room&gt;<br>Try again")
    assert last["failure"]["code"] == "start-error"
