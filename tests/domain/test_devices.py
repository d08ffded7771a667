from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrel.domain.devices import (
    DeviceLease,
    DeviceWait,
    Need,
    environment_of,
    need_of,
    pools_of,
    serve,
    standing_of,
    title_of,
    why_never,
)

POOLS: Mapping[str, tuple[str, ...]] = {"gpu": ("a", "b"), "matlab": ("1",)}


def waits(*needs: Need) -> list[DeviceWait]:
    """Starts that were asked for one after the other, of servers 1, 2, …"""
    return [DeviceWait(number, float(number), need) for number, need in enumerate(needs, 1)]


def taken(*devices: tuple[str, str]) -> list[DeviceLease]:
    return [DeviceLease(kind, device, 99, 1) for kind, device in devices]


@pytest.mark.parametrize(
    ("kind", "title"),
    [("gpu", "GPU"), ("nvidia.com/gpu", "GPU"), ("matlab", "matlab"), ("Lab bench", "Lab bench")],
)
def test_a_kind_has_one_name_for_people(kind: str, title: str) -> None:
    assert title_of(kind) == title


def test_pools_are_lists_of_names_or_numbers() -> None:
    assert pools_of({"gpu": ["a", 1], "matlab": 3, "none": 0}) == {
        "gpu": ("a", "1"),
        "matlab": ("1", "2", "3"),
        "none": (),
    }


@pytest.mark.parametrize(
    "described", [-1, True, "a", {"a": 1}, ["a", "a"], [1, "1"], [""], [None], 1.5, None]
)
def test_what_is_no_pool_is_named(described: object) -> None:
    with pytest.raises(ValueError, match="'gpu'"):
        pools_of({"gpu": described})


def test_a_need_is_numbers_by_kind() -> None:
    assert need_of({"gpu": 2, "matlab": 0}) == {"gpu": 2}
    nonsense: list[object] = [[], {"gpu": -1}, {"gpu": True}, {"gpu": "1"}, {1: 1}, "gpu"]
    for value in nonsense:
        with pytest.raises(ValueError, match=r"Spawner\.devices"):
            need_of(value)


def test_what_can_never_be_had_is_named_with_its_setting() -> None:
    assert why_never(POOLS, {"gpu": 2, "matlab": 1}) == ""
    assert why_never(POOLS, {"tpu": 1}) == "there is no device 'tpu' in c.Carrel.device_pools"
    assert "3 of 'gpu' are asked for, and c.Carrel.device_pools has 2" in why_never(POOLS, {"gpu": 3})


def test_who_came_first_is_served_first_for_each_kind() -> None:
    served = serve(POOLS, taken(("gpu", "a")), waits({"gpu": 1}, {"gpu": 1}, {"matlab": 1}))
    assert served == {1: {"gpu": ("b",)}, 3: {"matlab": ("1",)}}


def test_nobody_overtakes_who_needs_more() -> None:
    line = waits({"gpu": 2}, {"gpu": 1})
    assert serve(POOLS, taken(("gpu", "a")), line) == {}
    assert serve(POOLS, [], line) == {1: {"gpu": ("a", "b")}}


def test_who_needs_several_kinds_stands_in_each_line() -> None:
    line = waits({"gpu": 1, "matlab": 1}, {"matlab": 1})
    assert serve(POOLS, taken(("gpu", "a"), ("gpu", "b")), line) == {}
    assert list(serve(POOLS, taken(("gpu", "a")), line)) == [1]


def test_who_can_never_be_served_keeps_nobody_waiting() -> None:
    assert serve(POOLS, [], waits({"tpu": 1}, {"gpu": 3}, {"gpu": 1})) == {1: {}, 2: {}, 3: {"gpu": ("a",)}}


def test_a_standing_counts_who_needs_any_of_the_same() -> None:
    line = waits({"gpu": 1}, {"matlab": 1}, {"gpu": 1, "matlab": 1}, {"gpu": 2})
    found = [standing_of(line, wait.server_id) for wait in line]
    assert [one and one.ahead for one in found] == [0, 0, 2, 2]
    assert [list(one.kinds) for one in found if one] == [["gpu"], ["matlab"], ["gpu", "matlab"], ["gpu"]]
    assert standing_of(line, 7) is None


def test_variables_name_the_devices_and_are_empty_for_who_has_none() -> None:
    variables = {"gpu": "CUDA_VISIBLE_DEVICES"}
    assert environment_of(variables, {"gpu": ["a", "b"], "matlab": ["1"]}) == {"CUDA_VISIBLE_DEVICES": "a,b"}
    assert environment_of(variables, {}) == {"CUDA_VISIBLE_DEVICES": ""}
    assert environment_of({}, {"gpu": ["a"]}) == {}


NEEDS = st.dictionaries(st.sampled_from(["gpu", "matlab"]), st.integers(1, 2), min_size=1)


@given(st.lists(NEEDS, max_size=8), st.sets(st.sampled_from(["a", "b"])))
def test_no_device_is_given_twice_and_a_need_is_met_whole(needs: Sequence[Need], busy: set[str]) -> None:
    leases = taken(*(("gpu", name) for name in busy))
    served = serve(POOLS, leases, waits(*needs))
    given_away = [
        (kind, name) for devices in served.values() for kind, names in devices.items() for name in names
    ]
    assert len(given_away) == len({*given_away})
    assert not {*given_away} & {("gpu", name) for name in busy}
    for server_id, devices in served.items():
        need = needs[server_id - 1]
        assert not devices or {kind: len(names) for kind, names in devices.items()} == need


@given(st.lists(NEEDS.filter(lambda need: need.get("matlab", 0) < 2), max_size=8))
def test_whoever_waits_is_served_once_the_others_have_ended(needs: Sequence[Need]) -> None:
    """Everybody uses what they got and gives it back: after as many rounds as there are, nobody waits."""
    line = waits(*needs)
    for _ in range(len(needs)):
        served = serve(POOLS, [], line)
        assert not line or line[0].server_id in served
        line = [wait for wait in line if wait.server_id not in served]
    assert line == []
