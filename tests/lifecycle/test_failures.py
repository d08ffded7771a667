"""What the reconciler saw of a failure reaches the row."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from carrel.domain.servers import Failure
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub


async def failure_of(hub: TrialHub, seconds: float = 100) -> Failure:
    await hub.ask_start()
    await hub.clock.advance(seconds)
    failure = (await hub.server()).failure
    assert failure is not None
    return failure


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        ({}, "no-answer"),
        ({"answered": "503", "elsewhere": ""}, "server-error"),
        ({"answered": "404", "elsewhere": "/"}, "wrong-base-url"),
        ({"reach": "refused"}, "not-listening"),
        ({"reach": "refused", "listens": "9999"}, "wrong-port"),
        ({"reach": "garbage", "other": "sshd, process 7"}, "port-taken"),
    ],
)
async def test_a_silent_server_is_looked_at(hub: TrialHub, seen: dict[str, str], code: str) -> None:
    hub.probe.answers = False
    hub.probe.seen = seen
    assert (await failure_of(hub)).code == code


async def test_a_probe_that_fails_leaves_the_honest_sentence(
    hub: TrialHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_off(self: object, url: str, labels: object) -> dict[str, str]:
        raise ZeroDivisionError

    hub.probe.answers = False
    monkeypatch.setattr(type(hub.probe), "examine", break_off)
    assert (await failure_of(hub)).code == "no-answer"


async def test_what_the_server_wrote_decides(hub: TrialHub) -> None:
    hub.probe.answers = False
    hub.world.script = Script(exit_status=1, log="OSError: [Errno 98] Address already in use")
    assert (await failure_of(hub)).code == "port-taken"


async def test_a_driver_that_cancels_its_own_start_fails_it(hub: TrialHub) -> None:
    async def start(self: object) -> Any:
        raise asyncio.CancelledError

    hub.ctx.spawner_class.start = start  # type: ignore[method-assign]
    assert (await failure_of(hub)).code == "cancelled"


def _refuse(*arguments: object) -> None:
    raise ValueError("not this one")


async def _hang(*arguments: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"pre_spawn_hook": _refuse}, "hook-error"),
        ({"pre_spawn_hook": _hang}, "hook-timeout"),
        ({"auth_state_hook": _refuse}, "auth-state"),
        ({"auth_state_hook": _hang}, "hook-timeout"),
        ({"apply_user_options": _refuse}, "options-refused"),
        ({"start_timeout": "soon"}, "bad-setting"),
    ],
)
async def test_the_step_that_broke_off_is_named(settings: dict[str, Any], code: str) -> None:
    async with open_test_hub(plugins={"FakeSpawner": settings}) as hub:
        await hub.make_user("ada")
        failure = await failure_of(hub)
        assert failure.code == code
        assert "hook" not in code or next(iter(settings)) in failure.message


async def test_the_words_of_an_exception_for_people_are_told(hub: TrialHub) -> None:
    class Closed(Exception):
        jupyterhub_message = "We are closed."

    hub.world.script.start_error = Closed("internal")
    failure = await failure_of(hub)
    assert (failure.code, failure.message) == ("refused", "We are closed.")


async def test_the_limit_of_memory_is_named() -> None:
    async with open_test_hub(plugins={"FakeSpawner": {"mem_limit": "1536M"}}) as hub:
        await hub.make_user("ada")
        hub.probe.answers = False
        hub.world.script = Script(exit_status=137)
        assert "(its limit is 1.5 GiB)" in (await failure_of(hub)).message


async def test_the_run_s_secrets_are_not_in_the_row() -> None:
    spawner = {
        "environment": {"COURSE_PASSWORD": "swordfish", "COURSE": "Physics", "A_TOKEN": lambda spawner: "x"}
    }
    async with open_test_hub(plugins={"FakeSpawner": spawner}) as hub:
        await hub.make_user("ada")
        hub.probe.answers = False
        await hub.ask_start()
        await hub.clock.settle()
        token = hub.world.servers[1, 1].env["JUPYTERHUB_API_TOKEN"]
        hub.world.servers[1, 1].log = f"swordfish in Physics by {token}"
        hub.world.servers[1, 1].exit_status = 3
        await hub.clock.advance(100)
        failure = (await hub.server()).failure
        assert failure is not None
        assert failure.log == "*** in Physics by ***"
        assert token not in failure.message


@pytest.mark.parametrize(
    ("status", "log", "code"),
    [
        (1, "OSError: [Errno 98] Address already in use", "port-taken"),
        # A process whose parent is gone: nobody knows its status, and its log is known all the same.
        (0, "[repository failed] requirements.txt line 2: no such package x.", "repository"),
        (3, "bye", "exit"),
        (0, "bye", "lost"),
        (137, "", "killed"),
    ],
)
@pytest.mark.parametrize("answers_later", [False, True])
async def test_why_a_start_ended_while_the_hub_was_away(
    hub: TrialHub, status: int, log: str, code: str, answers_later: bool
) -> None:
    """Whether it had come to its address or not."""
    hub.probe.answers = False
    hub.world.script.start_delay = 0 if answers_later else 60
    await hub.ask_start()
    await hub.clock.advance(5)
    assert bool((await hub.server()).url) is answers_later
    await hub.shut_down(kill=True)
    ended = hub.world.servers[1, 1]
    ended.exit_status, ended.log = status, log
    await hub.boot()
    await hub.clock.advance(20)
    failure = (await hub.server()).failure
    assert failure is not None
    assert (failure.code, failure.log) == (code, log)


async def test_an_adopted_server_that_ends_is_not_said_to_have_ended_without_an_error(hub: TrialHub) -> None:
    hub.probe.answers = False
    await hub.ask_start()
    await hub.clock.advance(5)
    await hub.restart(kill=True)
    await hub.clock.advance(2)
    hub.world.servers[1, 1].exit_status = 0
    await hub.clock.advance(20)
    failure = (await hub.server()).failure
    assert failure is not None
    assert failure.code == "lost"


async def test_nothing_is_said_of_a_log_when_nothing_is_known_to_have_begun(hub: TrialHub) -> None:
    hub.world.script.start_delay = 60
    await hub.ask_start()
    await hub.clock.advance(5)
    await hub.shut_down(kill=True)
    ended = hub.world.servers[1, 1]
    ended.exit_status, ended.log = 1, "OSError: [Errno 98] Address already in use"
    await hub.boot(work=False)
    row = await hub.server()
    async with hub.ctx.store.write() as tx:
        assert await tx.servers.save(replace(row, state={}))
    await hub.restart()
    await hub.clock.advance(20)
    failure = (await hub.server()).failure
    assert failure is not None
    assert failure.message == "The hub was restarted while the server started."
