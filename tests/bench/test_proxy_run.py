"""The benchmark against real proxies, with as little work as it can do."""

from __future__ import annotations

import shutil

import pytest

from bench.proxy.loads import USERS, Amounts
from bench.proxy.rounds import Key, Plan, measure
from bench.proxy.systems import all_systems
from tests.rigs.needs import need

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

LITTLE = Amounts(
    rounds=1,
    rounds_before=0,
    get_seconds=1,
    round_trips=640,
    large_bodies=1,
    added_routes=5,
    idle_websockets=50,
    warm_up=0.1,
)
SYSTEMS = {system.name: system for system in all_systems()}


def run(name: str, transport: str, *loads: str) -> dict[Key, list[float | None]]:
    """Return what is measured of one proxy, of which nothing may fail."""
    need(shutil.which("wrk"), "wrk")
    need(not SYSTEMS[name].missing(), SYSTEMS[name].title)
    found = measure(Plan((SYSTEMS[name],), frozenset(loads), (transport,), LITTLE))
    assert found.notes == []
    return {key: values for (_, key), values in found.figures.items()}


def test_everything_is_measured_of_carrel_proxy() -> None:
    figures = run("carrel", "http", "get", "websocket", "download", "upload", "add-route", "memory")
    assert {(key.load, key.users) for key in figures} == {
        ("get", 1),
        ("get", USERS),
        *((load, USERS) for load in ("websocket", "download", "upload", "add-route", "memory")),
    }
    [[cpu], [seconds], [size]] = (
        figures[Key(load, "http", USERS)] for load in ("get", "add-route", "memory")
    )
    assert cpu is not None
    assert 1e-6 < cpu < 1e-2
    assert seconds is not None
    assert 1e-5 < seconds < 10
    assert size is not None
    assert 1e6 < size < 1e9


@pytest.mark.parametrize("name", ["carrel", "nginx", "haproxy"])
def test_cpu_is_measured_of_each_proxy_over_tls(name: str) -> None:
    figures = run(name, "https", "get", "websocket", "upload", "add-route", "memory")
    loads = [key.load for key in figures]
    assert sorted(loads) == ["get", "get", "upload", "websocket"]
    [cpu] = figures[Key("get", "https", 1)]
    assert cpu
