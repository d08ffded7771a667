"""What is made the quick way is what the class itself makes."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from carrel.lib.records import maker


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list, hash=False)

    @property
    def length(self) -> float:
        return math.hypot(self.x, self.y)


@dataclass(frozen=True, slots=True)
class Checked:
    x: float

    def __post_init__(self) -> None:
        assert self.x >= 0


@dataclass(frozen=True)
class WithoutSlots:
    x: float


def test_it_is_one_of_the_class() -> None:
    made = maker(Point)(3.0, y=4.0)
    assert type(made) is Point
    assert made == Point(3.0, 4.0, [])
    assert hash(made) == hash(Point(3.0, 4.0))
    assert repr(made) == repr(Point(3.0, 4.0))
    assert made.length == 5.0
    assert replace(made, x=0.0) == Point(0.0, 4.0)
    assert copy.copy(made) == pickle.loads(pickle.dumps(made)) == made


def test_nobody_can_change_it() -> None:
    made = maker(Point)(1.0)
    with pytest.raises(FrozenInstanceError):
        made.x = 2.0  # type: ignore[misc]


def test_no_two_share_a_default() -> None:
    make = maker(Point)
    make(1.0).tags.append("a")
    assert make(1.0).tags == []


def test_too_few_and_unknown_values_are_refused() -> None:
    make = maker(Point)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        make()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        make(1.0, z=2.0)  # type: ignore[call-arg]


@pytest.mark.parametrize("record", [Checked, WithoutSlots])
def test_a_class_of_which_it_could_make_no_whole_object_is_refused(
    record: type[Checked | WithoutSlots],
) -> None:
    with pytest.raises(TypeError, match="must have slots, and no __post_init__"):
        maker(record)
