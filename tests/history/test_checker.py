"""Histories made by hand: what the checker has to accept, and what it must not."""

from __future__ import annotations

import math
import random

import pytest

from tests.history import History, Kind, Operation, check

K = Kind


def at(moment: float, kind: Kind, generation: int = 0) -> Operation:
    return Operation(kind, moment, moment, generation)


def during(call: float, back: float, kind: Kind, generation: int = 0, **more: int | bool) -> Operation:
    return Operation(kind, call, back, generation, **more)  # type: ignore[arg-type]


def one_run(generation: int = 1, begin: float = 0) -> list[Operation]:
    """A start that is answered with 201, and a stop that is answered with 204."""
    return [
        during(begin, begin + 3, K.ASK_START),
        during(begin, begin + 3, K.SEEN_READY),
        at(begin + 2, K.BEGAN, generation),
        during(begin + 5, begin + 8, K.ASK_STOP),
        at(begin + 7, K.ENDED, generation),
        during(begin + 5, begin + 8, K.SEEN_GONE),
    ]


GOOD = {
    "nothing": [],
    "one run": one_run(),
    "two runs": [*one_run(1), *one_run(2, 10)],
    "a stop of nothing": [during(0, 1, K.ASK_STOP), during(0, 1, K.SEEN_GONE)],
    "two starts at once are one": [
        during(0, 3, K.ASK_START),
        during(1, 3, K.ASK_START),
        at(2, K.BEGAN, 1),
        at(4, K.SEEN_READY),
    ],
    "a start that is cancelled": [
        at(0, K.ASK_START),
        at(1, K.BEGAN, 1),
        at(2, K.ASK_STOP),
        at(3, K.SEEN_STOPPING),
        at(4, K.ENDED, 1),
        at(5, K.SEEN_GONE),
    ],
    "a start that is cancelled before there is a process": [
        at(0, K.ASK_START),
        at(1, K.ASK_STOP),
        at(2, K.SEEN_GONE),
    ],
    "a process of a start that is being cancelled": [
        at(0, K.ASK_START),
        at(1, K.ASK_STOP),
        at(2, K.BEGAN, 1),
        at(3, K.ENDED, 1),
        at(4, K.SEEN_GONE),
    ],
    "a start that failed and was asked for again": [
        at(0, K.ASK_START),
        at(1, K.SEEN_STARTING),
        at(2, K.SEEN_GONE),
        at(3, K.ASK_START),
        at(4, K.BEGAN, 2),
        at(5, K.SEEN_READY),
    ],
    "a start that failed before anybody looked": [
        at(0, K.ASK_START),
        at(3, K.ASK_START),
        at(4, K.BEGAN, 2),
        at(5, K.SEEN_READY),
    ],
    "a server that ended by itself": [
        *one_run()[:3],
        at(4, K.ENDED, 1),
        at(5, K.SEEN_GONE),
        at(6, K.ASK_START),
        at(7, K.BEGAN, 2),
    ],
    "a lost start that had its effect": [
        during(0, 2, K.ASK_START, optional=True),
        at(3, K.BEGAN, 1),
        at(4, K.SEEN_READY),
    ],
    "a lost start that had none": [during(0, 2, K.ASK_START, optional=True), at(3, K.SEEN_GONE)],
    "a lost stop that comes late": [
        *one_run()[:3],
        Operation(K.ASK_STOP, 4, math.inf, optional=True),
        at(6, K.SEEN_READY),
        at(8, K.SEEN_STOPPING),
        at(9, K.ENDED, 1),
        at(10, K.SEEN_GONE),
    ],
    "a look that overlaps a stop may see either": [
        *one_run(),
        during(4, 9, K.SEEN_READY),
        during(4, 9, K.SEEN_STOPPING),
        during(4, 9, K.SEEN_GONE),
    ],
}

BAD = {
    "a process that nobody asked for": [at(0, K.BEGAN, 1)],
    "a process of a start that was not made yet": [at(0, K.ASK_START), at(1, K.BEGAN, 2)],
    "two processes of one start": [
        at(0, K.ASK_START),
        at(1, K.BEGAN, 1),
        at(2, K.ENDED, 1),
        at(3, K.BEGAN, 1),
    ],
    "two processes of one start at once": [at(0, K.ASK_START), at(1, K.BEGAN, 1), at(2, K.BEGAN, 1)],
    "a second start beside a living server": [
        *one_run()[:3],
        at(4, K.ASK_STOP),
        during(5, 9, K.ASK_START),
        at(6, K.BEGAN, 2),
        at(7, K.ENDED, 1),
    ],
    "a second start that answered early": [*one_run()[:3], at(4, K.ASK_STOP), at(5, K.ASK_START)],
    "a stop that is confirmed while the process lives": [
        *one_run()[:3],
        at(4, K.ASK_STOP),
        at(5, K.SEEN_GONE),
        at(6, K.ENDED, 1),
    ],
    "a process after the stop was confirmed": [
        at(0, K.ASK_START),
        at(1, K.ASK_STOP),
        at(2, K.SEEN_GONE),
        at(3, K.BEGAN, 1),
    ],
    "an old process after a later start": [
        at(0, K.ASK_START),
        at(1, K.SEEN_GONE),
        at(2, K.ASK_START),
        at(3, K.BEGAN, 1),
    ],
    "a stop that is lost": [*one_run()[:3], at(4, K.ASK_STOP), at(9, K.SEEN_READY)],
    "a start that is lost": [at(0, K.ASK_START), at(1, K.SEEN_STOPPING)],
    "a running answer after the process ended": [*one_run()[:3], at(4, K.ENDED, 1), at(5, K.SEEN_READY)],
    "a running answer before there is a process": [
        at(0, K.ASK_START),
        at(1, K.SEEN_READY),
        at(2, K.BEGAN, 1),
    ],
    "a running answer without a wish": [at(0, K.SEEN_READY)],
    "a starting answer without a wish": [at(0, K.SEEN_STARTING)],
    "an answer that goes back in time": [*one_run(), at(9, K.SEEN_READY)],
    "an end of what never began": [at(0, K.ASK_START), at(1, K.ENDED, 1)],
    "a lost stop that came after its latest moment": [
        *one_run()[:3],
        during(4, 5, K.ASK_STOP, optional=True),
        at(6, K.SEEN_READY),
        at(7, K.SEEN_STOPPING),
    ],
    "a confirmation before its own wish": [
        *one_run()[:3],
        Operation(K.ASK_STOP, 4, 9),
        Operation(K.SEEN_GONE, 4, 9, after=3),
        at(8, K.SEEN_READY),
        at(10, K.ENDED, 1),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_history_is_accepted(name: str) -> None:
    assert check(GOOD[name]) is None


@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_is_refused(name: str) -> None:
    violation = check(BAD[name])
    assert violation is not None
    assert str(violation).startswith("impossible: ")


@pytest.mark.parametrize("name", GOOD)
def test_the_order_of_writing_does_not_matter(name: str) -> None:
    operations = [one for one in GOOD[name] if one.after is None]
    random.Random(name).shuffle(operations)
    assert check(operations) is None


def test_the_first_thing_without_an_explanation_is_named() -> None:
    violation = check([*one_run(), at(9, K.SEEN_READY), at(10, K.BEGAN, 5)])
    assert violation is not None
    assert violation.operation == at(9, K.SEEN_READY)
    assert "possible: State(wanted=False, requested=1" in str(violation)


def test_a_long_history_with_many_at_once_is_checked() -> None:
    operations: list[Operation] = []
    for number in range(300):
        operations += one_run(number + 1, number * 10)
        operations += [
            during(number * 10 + k / 2, number * 10 + k / 2 + 3, K.ASK_STOP, optional=True) for k in (8, 9)
        ]
    assert check(operations) is None


def test_rest_answers_in_the_models_words() -> None:
    history = History()
    for status, message in ((201, ""), (202, ""), (500, '{"status": 500}'), (None, ""), (503, "")):
        history.start("ada", 1.0, status, message)
    history.start("ada", 1.0, 400, "ada is already running")
    history.start("ada", 1.0, 400, "ada is pending stop")
    history.stop("ada", 1.0, 204)
    history.stop("ada", 1.0, 202)
    history.stop("ada", 1.0, None, by=7.0)
    for model in (None, {"ready": True}, {"ready": False, "pending": "spawn"}, {"pending": "stop"}, {}):
        history.look("ada", 1.0, model)
    kinds = [one.kind for one in history.of("ada")]
    assert kinds == [
        *(K.ASK_START, K.SEEN_READY, K.ASK_START, K.ASK_START, K.SEEN_GONE, K.ASK_START, K.ASK_START),
        *(K.SEEN_READY, K.SEEN_STOPPING),
        *(K.ASK_STOP, K.SEEN_GONE, K.ASK_STOP, K.ASK_STOP),
        *(K.SEEN_GONE, K.SEEN_READY, K.SEEN_STARTING, K.SEEN_STOPPING, K.SEEN_GONE),
    ]
    assert [one.back for one in history.of("ada") if one.optional] == [math.inf, math.inf, 7.0]
    assert len(history) == len(kinds)
    with pytest.raises(ValueError, match="was answered 418"):
        history.start("ada", 1.0, 418)
    with pytest.raises(ValueError, match="Named servers"):
        history.start("ada", 1.0, 400, "Named servers are not enabled")
    with pytest.raises(ValueError, match="answered 404"):
        history.stop("ada", 1.0, 404)


def test_a_request_that_a_stopping_hub_broke_off_may_have_had_its_effect() -> None:
    history = History()
    history.start("ada", 1.0, 500, "Internal Server Error")
    history.stop("ada", 1.0, 500, "Internal Server Error")
    assert [(one.kind, one.optional) for one in history.of("ada")] == [
        (K.ASK_START, True),
        (K.ASK_STOP, True),
    ]


def test_each_server_has_a_history_of_its_own() -> None:
    history = History()
    history.start("ada", 0.0, 202)
    history.began("ada", 1, 0.5, history.now() + 1)
    history.began("bob", 1, 0.5, 1.0)
    assert list(history.problems()) == ["bob"]
