"""Drivers that raise, hang, lie, answer nonsense or come too late hurt their own server, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from carrel.domain.servers import Actual, Server
from carrel.spawners.base import Spawner
from carrel.spawners.errors import StartError
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub
from tests.lifecycle.traces import traces

#: More than a start with its time-outs, its clean-up and the patience with each call can take.
LONG = 400


async def _check_others(hub: TrialHub) -> None:
    """Hold that another user's start and stop take no time."""
    await hub.make_user("bea")
    assert (await hub.start("bea")).ready
    assert (await hub.stop("bea")).actual is Actual.STOPPED


async def _start(hub: TrialHub, script: Script) -> Server:
    """Start ada's server by a script, with another user's start beside it."""
    hub.world.scripts["ada"] = script
    await hub.start()
    await _check_others(hub)
    await hub.clock.advance(LONG)
    return await hub.server()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (Script(start_error=RuntimeError("no room")), "no room"),
        (Script(start_error=asyncio.CancelledError()), "was broken off before"),  # type: ignore[arg-type]
        (Script(start_error=SystemExit(1)), "raised SystemExit"),  # type: ignore[arg-type]
        (Script(start_error=KeyboardInterrupt()), "raised KeyboardInterrupt"),  # type: ignore[arg-type]
        (Script(start_error=TimeoutError("the cloud is slow")), "the cloud is slow"),
        (Script(start_delay=1e6), "did not start within 60 seconds"),
        (Script(start_delay=1e6, stubborn=True), "did not start within 60 seconds"),
        (Script(answer=("127.0.0.1", "eighty")), "no address and port"),
        (Script(answer=("127.0.0.1", 70000)), "no address and port"),
        (Script(answer=("evil/../", 80)), "no address and port"),
        (Script(answer=("a", "b", "c")), "not (ip, port) or a URL"),
        (Script(answer=42), "not (ip, port) or a URL"),
        (Script(answer="localhost:80"), "no http:// or https:// URL"),
        (Script(answer="http://[::1"), "no http:// or https:// URL"),
    ],
)
async def test_a_start_that_goes_wrong(hub: TrialHub, script: Script, message: str) -> None:
    server = await _start(hub, script)
    assert server.actual is Actual.FAILED
    assert server.failure is not None
    assert message in server.failure.message
    assert (server.lease, server.deadline, server.pending) == (None, None, None)
    assert await traces(hub) == set()


@pytest.mark.parametrize(
    ("error", "traced"),
    [(StartError("The home would be hidden."), False), (RuntimeError("no room"), True)],
)
async def test_only_what_nobody_foresaw_is_traced_in_the_log(
    hub: TrialHub, caplog: pytest.LogCaptureFixture, error: Exception, traced: bool
) -> None:
    await _start(hub, Script(start_error=error))
    assert str(error) in caplog.text
    assert any(record.exc_info for record in caplog.records) is traced


@pytest.mark.parametrize(
    ("answer", "url"),
    [
        ("https://10.0.0.7:8888/base", "https://10.0.0.7:8888"),
        (("::1", 8888), "http://[::1]:8888"),
        (["10.0.0.7", "8888"], "http://10.0.0.7:8888"),
    ],
)
async def test_what_a_start_may_answer(hub: TrialHub, answer: Any, url: str) -> None:
    server = await _start(hub, Script(answer=answer))
    assert (server.ready, server.url) == (True, url)


async def test_a_start_that_comes_back_too_late_is_stopped(hub: TrialHub) -> None:
    server = await _start(hub, Script(start_delay=300, stubborn=True))
    assert server.failure is not None
    assert server.failure.code == "timeout"
    # It came to life after the row had failed, and after the first stop.
    assert hub.world.servers[1, 1].exit_status is not None
    assert hub.world.alive() == set()


async def test_one_that_comes_too_late_does_not_end_the_next(hub: TrialHub) -> None:
    hub.world.scripts["ada"] = Script(start_delay=300, stubborn=True)
    await hub.start()
    await hub.clock.advance(70)
    hub.world.scripts["ada"] = Script()
    assert (await hub.start()).ready
    await hub.clock.advance(LONG)
    assert (await hub.server()).ready
    assert hub.world.alive() == {(1, 2)}


async def test_where_drivers_go_by_names_the_next_run_is_left_alone(hub: TrialHub) -> None:
    hub.ctx.spawner_class.get_state = lambda self: {"handle": 1}  # type: ignore[method-assign]
    # Of one name there is one thing at most, and its newest run claims it.
    hub.ctx.spawner_class.find_orphans = Spawner.find_orphans  # type: ignore[method-assign]
    hub.world.scripts["ada"] = Script(start_delay=300, stubborn=True)
    await hub.start()
    await hub.clock.advance(70)
    hub.world.scripts["ada"] = Script()
    assert (await hub.start()).ready
    stops = hub.world.calls.count(("stop", (1, 1)))
    await hub.clock.advance(LONG)
    assert hub.world.calls.count(("stop", (1, 1))) == stops
    assert (await hub.server()).ready


async def test_cancelling_a_stubborn_start_does_not_wait_for_it(hub: TrialHub) -> None:
    hub.world.scripts["ada"] = Script(start_delay=50, stubborn=True)
    await hub.start()
    await hub.ask_stop()
    await hub.clock.advance(10)
    assert (await hub.server()).actual is Actual.STOPPED
    await hub.clock.advance(100)
    assert hub.world.alive() == set()
    assert (await hub.server()).actual is Actual.STOPPED


async def test_a_cancelled_start_is_cleaned_up_with_what_its_driver_knew(hub: TrialHub) -> None:
    """A driver that does not save its state while it starts: only the driver itself knows what it made."""

    async def no_save(self: object) -> None:
        return None

    hub.ctx.spawner_class.save_state = no_save  # type: ignore[method-assign]
    hub.world.script = Script(start_delay=40, leave_on_error=True)
    await hub.start()
    assert (await hub.server()).state == {}
    await hub.stop()
    assert await traces(hub) == set()


@pytest.mark.parametrize(
    "script",
    [
        Script(stop_delay=1e6),
        Script(stop_delay=1e6, stubborn=True),
        Script(stop_error=OSError("not now")),
    ],
)
async def test_a_stop_that_goes_wrong_ends_when_the_driver_recovers(hub: TrialHub, script: Script) -> None:
    await hub.start()
    hub.world.scripts["ada"] = script
    await hub.ask_stop()
    await hub.clock.advance(30)
    await _check_others(hub)
    assert (await hub.server()).pending == "stop"
    script.stop_error = None
    await hub.clock.advance(LONG)
    server = await hub.server()
    assert (server.actual, server.failure) == (Actual.STOPPED, None)
    assert await traces(hub) == set()


async def test_stops_that_fail_are_tried_less_and_less_often(hub: TrialHub) -> None:
    await hub.start()
    hub.world.script.stop_error = OSError("never")
    await hub.ask_stop()
    await hub.clock.advance(600)
    stops = hub.world.calls.count(("stop", (1, 1)))
    # 1, 2, 4, 8, 16 and from then on 30 seconds, up to half of it less.
    assert 20 <= stops <= 50


@pytest.mark.parametrize(
    "answers",
    [[""], [object()], [[]], [{}, 0.5, None]],
)
async def test_a_poll_that_answers_nonsense_tells_nothing(hub: TrialHub, answers: list[Any]) -> None:
    await hub.start()
    hub.world.scripts["ada"] = Script(poll_answers=answers)
    await hub.clock.advance(200)
    assert answers == []
    assert (await hub.server()).ready


async def test_a_poll_that_lies_ends_one_run_alone(hub: TrialHub) -> None:
    await hub.start()
    await hub.make_user("bea")
    await hub.start("bea")
    hub.world.scripts["ada"] = Script(poll_answers=[1, None, 1, None])
    await hub.clock.advance(200)
    assert (await hub.server()).actual is Actual.FAILED
    assert (await hub.server("bea")).ready


async def test_a_log_that_hangs_or_breaks_does_not_hold_up_the_failure(hub: TrialHub) -> None:
    async def hang(self: object, tail: int = 0) -> str:
        await asyncio.Event().wait()
        return ""

    hub.ctx.spawner_class.logs = hang  # type: ignore[method-assign]
    server = await _start(hub, Script(start_error=RuntimeError("no room")))
    assert server.actual is Actual.FAILED

    def lie(self: object, tail: int = 0) -> Any:
        return 42

    hub.ctx.spawner_class.logs = lie  # type: ignore[method-assign]
    await hub.start()
    await hub.clock.advance(1)
    failure = (await hub.server()).failure
    assert failure is not None
    assert failure.log == "42"


async def test_a_state_that_is_no_json_fails_the_start(hub: TrialHub) -> None:
    hub.ctx.spawner_class.get_state = lambda self: {"handle": object()}  # type: ignore[method-assign]
    server = await hub.start()
    assert server.failure is not None
    assert "JSON" in server.failure.message
    assert hub.world.alive() == set()


async def test_progress_that_breaks_or_never_ends_is_no_matter(hub: TrialHub) -> None:
    async def nonsense(self: object) -> Any:
        yield {"progress": "many"}

    async def endless(self: object) -> Any:
        while True:
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                continue
            yield {"progress": 30, "message": "still"}

    for progress in (nonsense, endless):
        hub.ctx.spawner_class.progress = progress  # type: ignore[method-assign]
        await hub.start()
        await hub.clock.advance(3)
        assert (await hub.server()).ready
        await hub.stop()


async def test_a_plain_method_that_blocks_is_named(hub: TrialHub, caplog: pytest.LogCaptureFixture) -> None:
    def poll(self: object) -> None:
        hub.clock.block(3)

    await hub.start()
    hub.ctx.spawner_class.poll = poll  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        await hub.clock.advance(40)
    assert "FakeSpawner: poll kept the whole hub waiting for 3.0 seconds (ada)" in caplog.text
    assert (await hub.server()).ready


def _raise(*_: Any) -> None:
    raise ValueError("not on Sundays\nand not on Mondays")


async def _raise_later(*_: Any) -> None:
    _raise()


async def _hang(*_: Any) -> None:
    await asyncio.Event().wait()


CODES = {
    "pre_spawn_hook": "hook-error",
    "auth_state_hook": "auth-state",
    "apply_user_options": "options-refused",
}


@pytest.mark.parametrize("hook", CODES)
@pytest.mark.parametrize("function", [_raise, _raise_later])
async def test_a_hook_that_raises_is_named(hook: str, function: Callable[..., Any]) -> None:
    async with open_test_hub(plugins={"FakeSpawner": {hook: function}}) as hub:
        await hub.make_user("ada")
        await hub.start()
        failure = (await hub.server()).failure
        assert failure is not None
        assert failure.code == CODES[hook]
        assert failure.message.endswith(": not on Sundays")
        assert hook in failure.message + failure.hint or hook == "apply_user_options"
        assert ("start", (1, 1)) not in hub.world.calls


@pytest.mark.parametrize("hook", CODES)
async def test_a_hook_that_hangs_is_named(hook: str) -> None:
    async with open_test_hub(plugins={"FakeSpawner": {hook: _hang, "start_timeout": 20}}) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.clock.advance(30)
        failure = (await hub.server()).failure
        assert failure is not None
        assert failure.code == "hook-timeout"
        assert f"{hook} did not finish within 20 seconds" in failure.message


@pytest.mark.parametrize("function", [_raise, _raise_later, _hang])
async def test_a_hook_after_the_stop_changes_nothing(function: Callable[..., Any]) -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"post_stop_hook": function}}) as hub:
        await hub.make_user("ada")
        await hub.start()
        await hub.ask_stop()
        await hub.clock.advance(40)
        assert (await hub.server()).actual is Actual.STOPPED
        assert await traces(hub) == set()


async def test_a_proxy_that_hangs_fails_a_start_and_lets_a_stop_through(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hub.make_user("bea")
    await hub.start("bea")

    async def hang(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(hub.proxy, "add_route", hang)
    monkeypatch.setattr(hub.proxy, "delete_route", hang)
    await hub.start()
    await hub.ask_stop("bea")
    await hub.clock.advance(100)
    server = await hub.server()
    assert server.failure is not None
    assert "the proxy did not answer" in server.failure.message
    assert (await hub.server("bea")).actual is Actual.STOPPED
    monkeypatch.undo()
    await hub.clock.advance(100)
    assert hub.proxy.specs() == set()
    assert (await hub.start()).ready
