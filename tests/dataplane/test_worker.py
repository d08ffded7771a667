"""What a worker does with main's words, without sockets."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import cast

import pytest

from carrel.dataplane.certificates import Certificates
from carrel.dataplane.channel import Applied, Behind
from carrel.dataplane.limits import Limits
from carrel.dataplane.options import parse_options
from carrel.dataplane.routes import Change, Route, RouteTable, forwarded
from carrel.dataplane.serving import make_engine
from carrel.dataplane.worker import Unset, Worker
from carrel.testing.clock import FakeClock

TARGET = {"target": "http://127.0.0.1:1"}
OTHER = {"target": "http://127.0.0.1:2"}


@pytest.fixture
def worker() -> Worker:
    certificates = cast("Certificates", SimpleNamespace(client=None))
    log = logging.getLogger("carrel.test")
    table = RouteTable(Unset())
    return Worker(make_engine(parse_options([]), Limits(), table, certificates, log), certificates)


def _table(worker: Worker) -> Mapping[str, str]:
    return {route.escaped: route.target.url for route in worker.engine.table.all()}


def _route(worker: Worker, spec: str) -> Route:
    route = worker.engine.table.get(spec)
    assert route is not None
    return route


def test_it_follows_changes_from_the_whole_table_on(worker: Worker) -> None:
    assert worker.follow(Change(7, {"/a": TARGET, "/b%20c": OTHER}, whole=True)) == Applied(7)
    assert worker.follow(Change(8, {"/d": TARGET}, ("/a",))) == Applied(8)
    assert _table(worker) == {"/b%20c": OTHER["target"], "/d": TARGET["target"]}


@pytest.mark.parametrize("change", [Change(9, {"/d": TARGET}), Change(7, {}, ("/a",))])
def test_a_gap_is_told_and_the_whole_table_mends_it(worker: Worker, change: Change) -> None:
    worker.follow(Change(7, {"/a": TARGET}, whole=True))
    assert isinstance(worker.follow(change), Behind)
    assert _table(worker) == {"/a": TARGET["target"]}
    assert worker.follow(Change(9, {"/d": TARGET}, whole=True)) == Applied(9)
    assert _table(worker) == {"/d": TARGET["target"]}


def test_what_cannot_be_done_is_told(worker: Worker) -> None:
    worker.follow(Change(1, {}, whole=True))
    assert isinstance(worker.follow(Change(2, {"/a": {"target": "ftp://x"}})), Behind)


async def test_only_traffic_is_activity_and_it_is_told_once(worker: Worker) -> None:
    worker.follow(Change(1, {"/a": TARGET, "/b": TARGET}, whole=True))
    assert worker.report().activity == {}
    _route(worker, "/a").last_activity = 12.5
    assert worker.report().activity == {"/a": 12.5}
    assert worker.report().activity == {}


async def test_the_whole_table_once_more_keeps_what_is_not_told_yet(worker: Worker) -> None:
    whole = Change(1, {"/a": TARGET}, whole=True)
    worker.follow(whole)
    _route(worker, "/a").last_activity = 12.5
    worker.follow(whole)
    assert worker.report().activity == {"/a": 12.5}


async def test_counts_are_told_once(worker: Worker) -> None:
    worker.engine.metrics.web += 3
    worker.engine.metrics.answers[200] += 2
    worker.engine.metrics.find.add(0.5)
    counts = worker.report().counts
    assert (counts.web, counts.answers, counts.find.count, counts.find.recent) == (3, {200: 2}, 1, [0.5])
    assert worker.report().counts.web == 0


def test_only_what_forwarding_looks_at_is_sent() -> None:
    used = {**TARGET, "alternatives": ["http://127.0.0.1:2"], "hub": True, "servers": "/user/"}
    data = {**used, "user": "ada", "number": 2**80}
    odd = {**TARGET, "hub": 1, "servers": ["/user/"]}
    sent = forwarded(Change(3, {"/": data, "/odd": odd}, ("/b",)))
    assert sent.put == {"/": used, "/odd": TARGET}
    assert (sent.number, sent.removed, sent.whole) == (3, ("/b",), False)


def test_activity_of_others_only_moves_forward() -> None:
    clock = FakeClock()
    table = RouteTable(clock)
    table.add("/a", TARGET)
    added = clock.now()
    table.note_activity({"/a": added - 1, "/gone": added + 1})
    assert [route.last_activity for route in table.all()] == [added]
    table.note_activity({"/a": added + 2})
    assert [route.last_activity for route in table.all()] == [added + 2]
    assert table.whole() == Change(1, {"/a": TARGET}, whole=True)


def test_shared_limits_are_split_upwards() -> None:
    share = Limits(per_address=5, upgrades=4, idle_clients=1, idle_upstreams=3, headers=9).share(2)
    assert (share.per_address, share.upgrades, share.idle_clients, share.idle_upstreams) == (3, 2, 1, 2)
    assert share.headers == 9
