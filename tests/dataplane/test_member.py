"""What main makes of a worker's answers, and of their absence."""

from __future__ import annotations

from carrel.dataplane.channel import (
    Applied,
    Ask,
    Behind,
    FromWorker,
    Hello,
    Open,
    Reload,
    Told,
    to_main,
    to_worker,
)
from carrel.dataplane.routes import Change
from tests.dataplane.wired import NOBODY, TARGET, Pair, Pipe, report


async def test_a_worker_serves_when_it_has_every_change() -> None:
    pair = Pair()
    change = Change(6, {"/b": TARGET})
    pair.member.tell(change)
    assert pair.heard() == []
    pair.say(Hello(NOBODY))
    pair.member.tell(change)
    pair.say(Applied(5))
    assert pair.heard() == [Told(pair.home.whole()), Told(change)]
    assert not pair.member.serves
    pair.say(Applied(6))
    assert pair.heard() == [Open()]
    assert pair.member.serves


async def test_a_change_is_under_way_until_it_is_applied() -> None:
    pair = Pair()
    pair.start()
    assert pair.member.change_under_way() is None
    pair.member.tell(Change(6, {}, ("/a",)))
    first = pair.member.change_under_way()
    pair.member.tell(Change(7, {"/a": TARGET}))
    second = pair.member.change_under_way()
    assert first is not None
    assert second is not None
    pair.say(Applied(6))
    assert (first.done(), second.done()) == (True, False)
    pair.say(Applied(7))
    assert second.done()
    assert pair.member.change_under_way() is None


async def test_a_worker_that_is_behind_gets_the_table_and_is_waited_for() -> None:
    pair = Pair()
    pair.start()
    pair.member.tell(Change(7, {"/b": TARGET}))
    waiting = pair.member.change_under_way()
    pair.heard()
    pair.center.number = 7
    pair.say(Behind("change 7 does not follow 5"))
    assert pair.heard() == [Told(pair.home.whole())]
    assert waiting is not None
    assert not waiting.done()
    pair.say(Applied(7))
    assert waiting.done()
    assert pair.member.fault == ""


async def test_a_worker_that_cannot_take_the_table_is_ended() -> None:
    pair = Pair()
    pair.say(Hello(NOBODY))
    pair.say(Behind("no"))
    assert "cannot take the routes: no" in pair.member.fault


async def test_changes_are_due_sooner_than_reports() -> None:
    pair = Pair()
    pair.start()
    pair.member.ask()
    assert pair.heard() == [Ask()]
    for _ in range(5):
        pair.member.look()
    assert pair.member.fault == ""
    pair.member.tell(Change(6, {}, ("/a",)))
    for _ in range(4):
        pair.member.look()
    assert pair.member.fault == ""
    pair.member.look()
    assert "take a change" in pair.member.fault


async def test_one_that_never_starts_is_given_up() -> None:
    pair = Pair()
    for _ in range(21):
        pair.member.look()
    assert "did not start" in pair.member.fault
    assert pair.pipe.closed


async def test_certificates_that_change_while_it_starts_are_read_again() -> None:
    pair = Pair()
    pair.member.reload()
    pair.say(Hello(NOBODY))
    assert pair.heard() == [Reload(), Told(pair.home.whole())]


async def test_its_end_is_an_answer_to_everything() -> None:
    pair = Pair()
    pair.start()
    asked = pair.member.ask()
    pair.member.tell(Change(6, {}, ("/a",)))
    under_way = pair.member.change_under_way()
    pair.member.channel.connection_lost(None)
    assert under_way is not None
    assert asked.done()
    assert under_way.done()
    assert pair.member.ended.is_set()
    assert not pair.member.serves


async def test_a_report_is_passed_on_asked_for_or_not() -> None:
    pair = Pair()
    pair.start()
    asked = pair.member.ask()
    pair.say(report())
    pair.say(report())
    assert asked.done()
    assert pair.center.reports == [report(), report()]
    assert (pair.member.load.connections, pair.member.cpu) == (3, (1.0, 2.0))


async def test_messages_may_come_in_pieces() -> None:
    heard: list[FromWorker] = []
    pipe = Pipe()
    sender = to_main(lambda _: None, lambda: None)
    sender.connection_made(pipe)
    sender.send(Hello(1))
    sender.send(Applied(2))
    receiver = to_worker(heard.append, lambda: None)
    for byte in pipe.written:
        receiver.data_received(bytes([byte]))
    assert heard == [Hello(1), Applied(2)]
