"""Events as they travel from hub to hub, and when they are told on the hub itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from carrel.domain.events import (
    ClientEnded,
    Event,
    GroupChanged,
    RightsChanged,
    RolesChanged,
    ServerChanged,
    ServerProgress,
)
from carrel.lib.clock import SystemClock
from carrel.storage.sql.notify import decode_events, encode_events
from carrel.storage.sql.store import SqlStore

EVENTS: list[Event] = [
    ServerChanged(3, "李雷", ""),
    ServerProgress(3, 1, 20, "Starting", html_message="<b>Starting</b>"),
    RightsChanged(7),
    GroupChanged("/org/李雷"),
    RolesChanged(),
    ClientEnded("jupyterhub-user-ada"),
]


def test_what_is_sent_arrives_with_who_sent_it() -> None:
    (text,) = encode_events("hub-1", EVENTS)
    assert decode_events(text) == ("hub-1", EVENTS)


def test_no_events_are_no_text() -> None:
    assert list(encode_events("hub-1", [])) == []


def test_an_event_is_sent_once() -> None:
    (text,) = encode_events("hub-1", [RightsChanged(7), RightsChanged(8), RightsChanged(7)])
    assert decode_events(text)[1] == [RightsChanged(7), RightsChanged(8)]


def test_no_text_is_longer_than_a_notification_may_be() -> None:
    events: list[Event] = [ServerChanged(number, "ü" * 200, "") for number in range(100)]
    texts = list(encode_events("hub-1", events))
    assert max(len(text.encode()) for text in texts) < 8000
    assert [event for text in texts for event in decode_events(text)[1]] == events


def test_what_only_another_release_knows_is_left_out() -> None:
    text = '["hub-1",["MoonRisen",{"phase":3}],["RightsChanged",{"user_id":7,"why":"new"}]]'
    assert decode_events(text) == ("hub-1", [RightsChanged(7)])


def test_nonsense_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_events("{}")


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[tuple[SqlStore, list[Event]]]:
    """An open store, and what it has published."""
    events: list[Event] = []
    store = SqlStore("sqlite:///c.sqlite", directory=tmp_path, clock=SystemClock(), publish=events.append)
    await store.open()
    yield store, events
    await store.close()


async def test_events_are_told_once_they_are_true(told: tuple[SqlStore, list[Event]]) -> None:
    store, events = told
    async with store.write() as tx:
        tx.announce(RightsChanged(1))
        assert events == []
    assert events == [RightsChanged(1)]


async def test_nothing_is_told_of_what_was_undone(told: tuple[SqlStore, list[Event]]) -> None:
    store, events = told

    async def fail() -> None:
        async with store.write() as tx:
            tx.announce(RightsChanged(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert events == []
