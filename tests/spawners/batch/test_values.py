"""Whatever somebody types into a field: nothing but a value of the field's kind reaches script or command."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrel.spawners.batch.base import BatchSpawnerBase
from carrel.spawners.batch.gridengine import GridengineSpawner
from carrel.spawners.batch.htcondor import CondorSpawner
from carrel.spawners.batch.lsf import LsfSpawner
from carrel.spawners.batch.pbs import PBSSpawner, TorqueSpawner
from carrel.spawners.batch.script import exports, render
from carrel.spawners.batch.slurm import SlurmSpawner
from carrel.spawners.batch.values import CHOOSABLE, FREE, check_choice, check_setting
from carrel.spawners.errors import StartError
from tests.spawners.batch.rig import make_driver
from tests.spawners.rig import hub_view, own_name

#: What ends a line or a word, or begins something else, for a shell or a batch system.
NASTY = re.compile(r"""[\s;&|`$<>(){}\[\]\\'"*?~!#\x00-\x1f\x7f\u0085\u2028\u2029]""")
SYSTEMS = (SlurmSpawner, PBSSpawner, TorqueSpawner, GridengineSpawner, LsfSpawner, CondorSpawner)
TEXT = st.one_of(
    st.text(max_size=60),
    st.from_regex(r"[a-z0-9]{0,4}[;&|`$<>(){}\n\r\t '\"\\#*]{1,3}.{0,10}"),
    st.sampled_from(
        ["debug\n#SBATCH --uid=0", "$(id)", "a;b", "1G --wrap=x", "x" * 300, "ä", "-", "--uid=0"]
    ),
)


def driver_of(cls: type[BatchSpawnerBase], **traits: Any) -> BatchSpawnerBase:
    return make_driver(cls, own_name(), hub_view(), **traits)


@pytest.mark.parametrize("name", sorted(CHOOSABLE))
@settings(max_examples=60)
@given(value=TEXT)
def test_a_choice_is_of_its_kind_or_refused_with_the_fields_name(name: str, value: str) -> None:
    try:
        text = check_choice(name, value)
    except ValueError as error:
        assert name in str(error)  # noqa: PT017 - the other outcome is as good
        return
    assert not NASTY.search(text)
    assert not text.startswith("-")
    assert len(text) <= 256


@pytest.mark.parametrize("name", sorted(CHOOSABLE))
@pytest.mark.parametrize("value", [None, True, {"a": 1}, ["a", "b"], [["a"]], object(), "x" * 1_000_000])
def test_choices_of_other_types_and_sizes_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        check_choice(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory", "4G"),
        ("memory", "500mb"),
        ("nprocs", 4),
        ("ngpus", "a100:2"),
        ("gres", "gpu:tesla:1"),
        ("runtime", "1-12:00:00"),
        ("runtime", "8h"),
        ("partition", ["long"]),
        ("account", "physics.2026"),
        ("qos", ""),
    ],
)
def test_what_is_usual_is_taken(name: str, value: Any) -> None:
    assert check_choice(name, value) == str(value[0] if isinstance(value, list) else value)


@pytest.mark.parametrize("cls", SYSTEMS)
@settings(max_examples=15)
@given(value=TEXT)
def test_no_setting_adds_a_line_or_a_word_to_the_script(cls: type[BatchSpawnerBase], value: str) -> None:
    """Wherever a value came from, a profile or a hook: it stays in its place, or the start is refused."""
    plain = _script(driver_of(cls, req_queue="short", req_account="short", req_memory="1G"))
    driver = driver_of(cls, req_queue="short", req_memory="1G")
    driver.req_account = value
    try:
        text = _script(driver)
    except StartError as error:
        assert "req_account" in str(error)  # noqa: PT017 - the other outcome is as good
        return
    if value:
        assert not NASTY.search(value)
        assert len(text.splitlines()) == len(plain.splitlines())


def _script(driver: BatchSpawnerBase) -> str:
    return render("batch_script", str(driver.batch_script), driver._values())


@pytest.mark.parametrize("name", sorted(FREE - {"prologue", "epilogue"}))
def test_lines_of_the_administrators_stay_lines(name: str) -> None:
    check_setting(name, "--exclusive --comment='a b'")
    with pytest.raises(ValueError, match=name):
        check_setting(name, "--exclusive\nrm -rf /")


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(max_size=30)))
def test_variables_are_set_to_what_they_are(environment: dict[str, str]) -> None:
    words = shlex.split(exports(environment))
    assert words == [word for item in environment.items() for word in ("export", "=".join(item))]


def test_variables_without_a_name_for_a_shell_are_left_out() -> None:
    assert exports({"a b": "1", "X;id": "2", "FINE": "3"}) == "export FINE=3\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partition": "other"}, "partition must be one of debug, long"),
        ({"memory": "$(id)"}, "memory must be a size"),
        ({"gres": "gpu:1"}, "gres cannot be chosen"),
    ],
)
async def test_only_what_is_offered_may_be_chosen(options: dict[str, Any], words: str) -> None:
    driver = driver_of(SlurmSpawner, req_choices={"partition": ["debug", "long"], "memory": True})
    with pytest.raises(ValueError, match=words):
        await driver.run_apply_user_options(options)


async def test_what_is_chosen_becomes_a_requirement_and_all_else_is_left_alone() -> None:
    driver = driver_of(SlurmSpawner, req_choices={"partition": ["debug", "long"], "memory": True})
    before = driver.req_prologue, driver.req_options
    await driver.run_apply_user_options(
        {"partition": ["long"], "memory": "2G", "prologue": "id", "options": "--uid=0", "profile": "x"}
    )
    assert (driver.req_partition, driver.req_memory) == ("long", "2G")
    assert (driver.req_prologue, driver.req_options) == before


async def test_with_a_form_of_the_deployers_its_fields_may_be_chosen() -> None:
    driver = driver_of(SlurmSpawner, options_form="<input name='nprocs'>")
    await driver.run_apply_user_options({"nprocs": ["4"], "options": "--uid=0"})
    assert (driver.req_nprocs, driver.req_options) == ("4", "")
    with pytest.raises(ValueError, match="nprocs"):
        await driver.run_apply_user_options({"nprocs": "4 --uid=0"})


async def test_the_form_has_a_labelled_field_for_each_choice() -> None:
    driver = driver_of(
        SlurmSpawner, req_choices={"partition": ["debug", "<b>"], "memory": True}, req_memory='4"G'
    )
    form = await driver.get_options_form()
    for name in ("partition", "memory"):
        assert f'<label for="batch-{name}">' in form
        assert f'id="batch-{name}" name="{name}"' in form
    assert "&lt;b&gt;" in form
    assert "<b>" not in form
    assert 'value="4&quot;G"' in form
