"""Events for auditors: what is written when, and that it is what jupyter_events writes."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator

import pytest
from jupyter_events import EventLogger

from carrel.events.actions import ActionLog
from carrel.testing.fakes import Script
from carrel.testing.hub import TrialHub, open_test_hub

SCHEMA = """
$id: https://schema.jupyter.org/jupyterhub/events/server-action
version: "1"
title: x
description: x
type: object
properties:
  action: {type: string, title: x, description: x}
  username: {type: string, title: x, description: x}
  servername: {type: string, title: x, description: x}
"""


@pytest.fixture
async def hub() -> AsyncIterator[TrialHub]:
    async with open_test_hub() as hub:
        await hub.make_user("ada")
        yield hub


def written(hub: TrialHub) -> io.StringIO:
    sink = io.StringIO()
    hub.ctx.bus.listen(ActionLog([logging.StreamHandler(sink)], hub.clock).heed)
    return sink


def actions(sink: io.StringIO) -> list[str]:
    return [json.loads(line)["action"] for line in sink.getvalue().splitlines()]


async def test_lines_are_those_of_jupyter_events(hub: TrialHub) -> None:
    sink, other = written(hub), io.StringIO()
    await hub.start()
    reference = EventLogger(handlers=[logging.StreamHandler(other)])
    reference.register_event_schema(SCHEMA)
    data = {"action": "start", "username": "ada", "servername": ""}
    schema = "https://schema.jupyter.org/jupyterhub/events/server-action"
    reference.emit(schema_id=schema, data=data)
    ours, theirs = json.loads(sink.getvalue()), json.loads(other.getvalue())
    assert list(ours) == list(theirs)
    moment = ours.pop("__timestamp__")
    assert theirs.pop("__timestamp__").endswith("Z")
    assert moment.startswith("2027-01-15T08:00:")
    assert moment.endswith("Z")
    assert ours == theirs


async def test_a_stop_that_was_asked_for_is_told(hub: TrialHub) -> None:
    sink = written(hub)
    await hub.start()
    await hub.stop()
    assert actions(sink) == ["start", "stop"]


async def test_what_fails_or_ends_by_itself_is_not(hub: TrialHub) -> None:
    sink = written(hub)
    hub.world.script = Script(start_error=RuntimeError("no"))
    await hub.start()
    hub.world.script = Script()
    await hub.start()
    hub.world.servers[1, 2].exit_status = 1
    await hub.clock.advance(60)
    hub.world.script = Script(start_delay=60)
    await hub.ask_start()
    await hub.clock.advance(5)
    await hub.stop()
    assert actions(sink) == ["start"]
