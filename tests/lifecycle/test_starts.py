"""A start ends in a server that answers, or in a failure that says why and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from carrel.domain.servers import Actual, Lease
from carrel.spawners.base import Spawner
from carrel.testing.fakes import FakeSpawner, Script
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.traces import ALL, traces

Arrange = Callable[[TrialHub], None]


async def test_from_start_to_stop(hub: TrialHub) -> None:
    server = await hub.start()
    assert (server.ready, server.url, server.lease, server.deadline) == (
        True,
        "http://127.0.0.1:1",
        None,
        None,
    )
    assert server.started == hub.clock.now()
    assert hub.proxy.table["/user/ada/"] == ("http://127.0.0.1:1", {"user": "ada", "server_name": ""})
    assert hub.probe.asked == ["http://127.0.0.1:1/user/ada/api"]
    assert await traces(hub) == ALL
    server = await hub.stop()
    assert (server.actual, server.url, server.state, server.started) == (Actual.STOPPED, "", {}, None)
    assert await traces(hub) == set()


async def test_a_second_run_is_a_new_generation_with_a_new_token(hub: TrialHub) -> None:
    await hub.start()
    first = hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
    await hub.stop()
    assert (await hub.start()).generation == 2
    assert hub.world.alive() == {(1, 2)}
    assert hub.world.servers[1, 2].env["JUPYTERHUB_API_TOKEN"] != first


async def test_the_checkpoint_is_in_the_row_while_the_driver_is_at_work(hub: TrialHub) -> None:
    hub.world.script.start_delay = 20
    server = await hub.start()
    assert (server.actual, server.pending, server.state) == (Actual.STARTING, "spawn", {"handle": 1})
    assert hub.proxy.specs() == set()
    await hub.clock.advance(20)
    assert (await hub.server()).ready


async def test_nobody_is_sent_to_what_answers_in_the_place_of_the_server(hub: TrialHub) -> None:
    hub.world.script.reached = False
    await hub.ask_start()
    await hub.clock.advance(5)
    server = await hub.server()
    assert (server.actual, hub.proxy.specs(), bool(hub.probe.asked)) == (Actual.STARTING, set(), True)
    hub.world.script.reached = True
    await hub.clock.advance(1)
    assert ((await hub.server()).ready, hub.proxy.specs()) == (True, {"/user/ada/"})


async def test_its_owner_is_told_that_another_account_has_the_port(hub: TrialHub) -> None:
    hub.world.script.reached = False
    await hub.ask_start()
    await hub.clock.advance(100)
    failure = (await hub.server()).failure
    assert failure is not None
    assert (failure.code, "of another account" in failure.message) == ("port-taken", True)
    assert hub.proxy.specs() == set()


def _raise(hub: TrialHub) -> None:
    hub.world.script.start_error = RuntimeError("no room\nTraceback…")


def _raise_and_leave(hub: TrialHub) -> None:
    hub.world.script = Script(start_error=OSError("half done"), leave_on_error=True)


def _raise_nothing_said(hub: TrialHub) -> None:
    hub.world.script.start_error = ValueError()


def _hang(hub: TrialHub) -> None:
    hub.world.script = Script(start_delay=1e6, leave_on_error=True)


async def test_a_start_waits_for_a_data_plane_that_is_started_again(hub: TrialHub) -> None:
    hub.proxy.away = True
    await hub.ask_start()
    await hub.clock.advance(5)
    assert (await hub.server()).actual is Actual.STARTING
    hub.proxy.away = False
    await hub.clock.advance(1)
    assert (await hub.server()).actual is Actual.RUNNING
    assert hub.proxy.specs() == {"/user/ada/"}


async def test_a_start_does_not_wait_for_ever_for_a_data_plane(hub: TrialHub) -> None:
    hub.proxy.away = True
    await hub.ask_start()
    await hub.clock.advance(20)
    server = await hub.server()
    assert server.actual is Actual.FAILED
    assert server.failure is not None
    assert server.failure.code == "no-route"


def _never_answer(hub: TrialHub) -> None:
    hub.probe.answers = False


def _exit(hub: TrialHub) -> None:
    hub.probe.answers = False
    hub.world.script.exit_status = 3


def _no_proxy(hub: TrialHub) -> None:
    hub.proxy.failures["add_route"] = 1


@pytest.mark.parametrize(
    ("arrange", "code", "message"),
    [
        (_raise, "start-error", "The server could not be started: no room"),
        (_raise_and_leave, "start-error", "The server could not be started: half done"),
        (_raise_nothing_said, "start-error", "The server could not be started: ValueError"),
        (_hang, "timeout", "The server did not start within 60 seconds."),
        (
            _never_answer,
            "no-answer",
            "The server did not answer at http://127.0.0.1:1/user/ada/api within 30 seconds.",
        ),
        (_exit, "exit", "The server ended with status 3 before it answered: last line."),
        (
            _no_proxy,
            "no-route",
            "The server runs, but the hub could not set its route in the proxy: the fake",
        ),
    ],
)
async def test_a_start_that_fails(hub: TrialHub, arrange: Arrange, code: str, message: str) -> None:
    arrange(hub)
    hub.world.script.log = "first line\nlast line"
    await hub.ask_start()
    await hub.clock.advance(100)
    server = await hub.server()
    assert server.actual is Actual.FAILED
    assert server.failure is not None
    assert server.failure.code == code
    assert server.failure.message.startswith(message)
    assert (server.url, server.state, server.lease, server.deadline) == ("", {}, None, None)
    assert server.pending is None
    assert await traces(hub) == set()


@pytest.mark.parametrize("arrange", [_hang, _never_answer, _exit, _raise_and_leave])
async def test_a_failure_shows_the_end_of_the_log(hub: TrialHub, arrange: Arrange) -> None:
    hub.world.script.log = "\n".join(f"line {number}" for number in range(100))
    script = hub.world.script
    arrange(hub)
    hub.world.script.log = script.log
    await hub.ask_start()
    await hub.clock.advance(100)
    failure = (await hub.server()).failure
    assert failure is not None
    assert failure.log.splitlines() == [f"line {number}" for number in range(50, 100)]


async def test_a_start_may_fail_once_and_work_the_next_time(hub: TrialHub) -> None:
    _raise(hub)
    assert (await hub.start()).failure is not None
    hub.world.script.start_error = None
    server = await hub.start()
    assert (server.ready, server.failure) == (True, None)


async def test_a_driver_that_cannot_be_built_fails_the_start() -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"start_timeout": "soon"}}) as hub:
        await hub.make_user("ada")
        server = await hub.start()
        assert server.actual is Actual.FAILED
        assert server.failure is not None
        assert "start_timeout" in server.failure.message
        assert server.pending is None


async def test_options_are_applied_before_the_start() -> None:
    spawner = {"apply_user_options": {"greeting": "notebook_dir"}}
    async with open_test_hub(plugins={"FakeSpawner": spawner}) as hub:
        await hub.make_user("ada")
        await hub.ask_start(options={"greeting": "/hello"})
        await hub.clock.settle()
        assert hub.world.servers[1, 1].env["JUPYTERHUB_ROOT_DIR"] == "/hello"


async def test_hooks_run_around_a_run() -> None:
    seen: list[str] = []
    hooks = {
        "pre_spawn_hook": lambda spawner: seen.append(f"before {spawner.user.name}"),
        "auth_state_hook": lambda spawner, state: seen.append(f"state {state}"),
        "post_stop_hook": lambda spawner: seen.append("after"),
    }
    async with open_test_hub(plugins={"FakeSpawner": hooks}) as hub:
        await hub.make_user("ada")
        await hub.start()
        assert seen == ["state None", "before ada"]
        await hub.stop()
        assert seen[-1] == "after"


async def test_a_hook_that_raises_fails_the_start() -> None:
    def refuse(spawner: object) -> None:
        raise PermissionError("not on Sundays")

    async with open_test_hub(plugins={"FakeSpawner": {"pre_spawn_hook": refuse}}) as hub:
        await hub.make_user("ada")
        failure = (await hub.start()).failure
        assert failure is not None
        assert "not on Sundays" in failure.message
        assert hub.world.calls.count(("start", (1, 1))) == 0


def _give_time_to_start(spawner: Spawner) -> None:
    spawner.start_timeout = 600


def _give_time_to_answer(spawner: Spawner) -> None:
    spawner.http_timeout = 600


@pytest.mark.parametrize("saves_state", [True, False])
@pytest.mark.parametrize("hook", [_give_time_to_start, _give_time_to_answer])
async def test_a_hook_may_give_a_start_more_time(
    monkeypatch: pytest.MonkeyPatch, hook: Callable[[Spawner], None], saves_state: bool
) -> None:
    async def no_save(self: object) -> None:
        return None

    if not saves_state:
        monkeypatch.setattr(FakeSpawner, "save_state", no_save)
    async with open_test_hub(plugins={"FakeSpawner": {"pre_spawn_hook": hook}}) as hub:
        await hub.make_user("ada")
        hub.world.script.start_delay = 500 if hook is _give_time_to_start else 50
        hub.probe.answers = False
        await hub.ask_start()
        await hub.clock.advance(520 if hook is _give_time_to_start else 600)
        assert (await hub.server()).pending == "spawn"
        hub.probe.answers = True
        await hub.clock.advance(1)
        assert (await hub.server()).ready


async def test_time_that_a_hook_gives_ends_too() -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"pre_spawn_hook": _give_time_to_start}}) as hub:
        await hub.make_user("ada")
        hub.world.script.start_delay = 1e6
        await hub.ask_start()
        await hub.clock.advance(610)
        failure = (await hub.server()).failure
        assert failure is not None
        assert (failure.code, "within 600 seconds" in failure.message) == ("timeout", True)


async def test_starts_beyond_the_limit_queue_in_order() -> None:
    async with open_test_hub(concurrent_spawn_limit=2) as hub:
        hub.world.script.start_delay = 10
        for name in "abcde":
            await hub.make_user(name)
            await hub.ask_start(name)
        await hub.clock.settle()
        assert len(hub.world.servers) == 2
        assert [(await hub.server(name)).pending for name in "abcde"] == ["spawn"] * 5
        await hub.clock.advance(10)
        assert [(await hub.server(name)).ready for name in "abcde"] == [True, True, False, False, False]
        await hub.stop("e")
        await hub.clock.advance(10)
        assert [(await hub.server(name)).ready for name in "abcde"] == [True] * 4 + [False]
        assert len(hub.world.servers) == 4


async def test_every_step_is_told(hub: TrialHub) -> None:
    server = await hub.start()
    steps = hub.ctx.progress.of(server.id, 1)
    assert [step.message for step in steps] == [
        "Server requested",
        "Starting the server",
        "The server is starting",
        "Waiting for the server to answer",
        "Server ready at /user/ada/",
    ]
    assert [step.progress for step in steps] == sorted(step.progress for step in steps)
    assert steps[-1].ready


async def test_a_row_that_another_owner_took_is_left_alone(hub: TrialHub) -> None:
    hub.world.script.start_delay = 10
    await hub.start()
    async with hub.ctx.store.write() as tx:
        row = await tx.servers.get_by_id(1)
        assert row is not None
        assert row.lease is not None
        others = Lease("another hub", hub.clock.now() + 1000, row.lease.fence + 7)
        taken = replace(row, lease=others)
        assert await tx.servers.save(taken)
    await hub.clock.advance(30)
    after = await hub.server()
    assert after.lease == taken.lease
    assert after.actual is Actual.STARTING
    assert hub.world.alive() == {(1, 1)}
    assert hub.world.calls.count(("stop", (1, 1))) == 0
    await hub.routes.sync()
    assert hub.proxy.specs() == set()


async def test_a_lease_lost_between_route_and_row_leaves_no_route_behind(hub: TrialHub) -> None:
    await hub.ask_start()
    original = hub.proxy.add_route

    async def add_route(routespec: str, target: str, data: Any) -> None:
        await original(routespec, target, {})
        async with hub.ctx.store.write() as tx:
            row = await tx.servers.get_by_id(1)
            assert row is not None
            assert row.lease is not None
            await tx.servers.save(
                replace(row, lease=replace(row.lease, owner="other", fence=row.lease.fence + 9))
            )

    hub.proxy.add_route = add_route  # type: ignore[method-assign]
    await hub.clock.settle()
    assert (await hub.server()).actual is Actual.STARTING
    await hub.routes.sync()
    assert hub.proxy.specs() == set()
