"""Each known cause is told by its sentence and its next step; what is unknown is told honestly."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from carrel.domain.causes import RULES
from carrel.domain.causes.document import failures_page
from carrel.domain.causes.rule import End, Rule, Stage
from carrel.domain.failures import MOST_CHARACTERS, Evidence, diagnose, diagnosing
from tests.domain.failures import machine, network, own, platforms, programs
from tests.domain.failures.case import Case, ended, raised, ran, silent
from tests.rigs.places import ROOT

PAGE = ROOT / "docs" / "reference" / "failures.md"
CASES = (*own.CASES, *machine.CASES, *network.CASES, *programs.CASES, *platforms.CASES)
#: Said only when somebody builds evidence of a kind that nobody builds today.
UNREACHED = {"unknown"}


@pytest.mark.parametrize(
    ("case", "seen"),
    [
        pytest.param(case, seen, id=f"{case.cause} {number}")
        for case in CASES
        for number, seen in enumerate(case.seen)
    ],
)
def test_a_cause_is_told(case: Case, seen: Evidence) -> None:
    failure = diagnose(seen)
    assert failure.code == case.code, failure.message
    assert case.message in failure.message
    assert case.hint in failure.hint
    assert "?" not in failure.message
    assert not re.search(r"[{}]", failure.message + failure.hint)


def test_there_are_many_distinct_causes() -> None:
    assert len({case.cause for case in CASES}) == len(CASES) >= 50
    assert len({case.code for case in CASES}) >= 50


def test_every_code_has_a_case_and_a_line_in_the_reference() -> None:
    codes = {rule.code for rule in RULES}
    assert codes - {case.code for case in CASES} == UNREACHED
    assert [code for code in codes if f"`{code}`" not in PAGE.read_text()] == []


def test_the_reference_is_what_the_rules_say() -> None:
    assert PAGE.read_text() == failures_page(), (
        "run: python -m carrel.domain.causes.document > docs/reference/failures.md"
    )


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_is_written_as_people_read_it(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.code)
    for pattern in rule.patterns:
        re.compile(pattern)
    assert rule.message.endswith((".", "}")) or rule.message == ""
    assert rule.hint.endswith((".", "}"))
    assert len(rule.message) < 200


def test_something_is_said_of_everything() -> None:
    for stage in Stage:
        for end in End:
            failure = diagnose(Evidence(stage=stage, end=end))
            assert failure.message
            assert failure.hint


def test_a_diagnosis_can_be_made_in_small_steps() -> None:
    seen = ended("nothing that is known\n" * 50, 3)
    *before, last = diagnosing(seen)
    assert set(before) == {None}
    assert len(before) > 50
    assert last == diagnose(seen)


@pytest.mark.parametrize("driver_s", [137, -9])
def test_a_signal_is_one_however_it_is_written(driver_s: int) -> None:
    assert diagnose(ran(status=driver_s)).code == "killed"


def test_what_was_said_long_before_a_running_server_ended_is_not_its_cause() -> None:
    old = "OSError: [Errno 28] No space left on device\n" + "GET /api/contents\n" * 30
    assert diagnose(ran(old, 1)).code == "exit"
    assert diagnose(ended(old, 1)).code == "disk-full"


def test_of_two_fits_the_last_one_said_fills_the_sentence() -> None:
    log = "sh: first: not found\nsh: second: not found"
    assert "second" in diagnose(ended(log, 127)).message


def test_what_the_driver_knows_is_not_overruled_by_a_log() -> None:
    failure = diagnose(
        raised("There is no command to start.", "StartError", log="database is locked", hint="Set it.")
    )
    assert (failure.code, failure.hint) == ("no-command", "Set it.")


SECRET = "f00dfeedf00dfeedf00dfeedf00dfeed"


@pytest.mark.parametrize(
    "text",
    [
        f"JUPYTERHUB_API_TOKEN={SECRET}",
        f"environ({{'JUPYTERHUB_API_TOKEN': '{SECRET}', 'HOME': '/home/ada'}})",
        f"export AWS_SECRET_ACCESS_KEY={SECRET}",
        f"Authorization: token {SECRET}",
        f"{{'Authorization': 'Bearer {SECRET}'}}",
        f"cookie: session={SECRET}; b={SECRET}",
        f"http://127.0.0.1:8888/lab?token={SECRET}",
        f"postgresql://ada:{SECRET}@db/x",
    ],
)
def test_no_secret_is_stored_or_quoted(text: str) -> None:
    for seen in (ended(text, 3), raised(text), ended(f"error: unrecognized arguments: {text}")):
        assert SECRET not in repr(diagnose(seen))


def test_the_run_s_own_secrets_go_wherever_they_stand() -> None:
    failure = diagnose(replace(ended(f"it is {SECRET}", 3), text=SECRET, secrets=(SECRET,)))
    assert failure.log == "it is ***"
    assert SECRET not in repr(failure)


def test_the_log_is_bounded_and_plain() -> None:
    log = diagnose(ended("\x1b[31mred\x1b[0m\tbell\x07\r\n" + "x" * 200_000 + "\nlast", 3)).log
    assert len(log) <= MOST_CHARACTERS
    assert log.endswith("last")
    lines = diagnose(ended("\n".join(f"line {number}" for number in range(100)), 3)).log.splitlines()
    assert lines == [f"line {number}" for number in range(50, 100)]
    assert diagnose(silent("\x1b]0;title\x07\x1b[1;31mred\x1b[0m\x07")).log == "red\\x07"


def test_braces_and_markup_in_a_log_are_only_text() -> None:
    failure = diagnose(ended("{text} {0} <b>{status}</b>", 3))
    assert failure.message.endswith("{text} {0} <b>{status}</b>.")
