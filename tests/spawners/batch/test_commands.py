"""Commands end within their time, whatever they do, and values stay single words."""

from __future__ import annotations

import os

import pytest

from carrel.spawners.batch.commands import run, words_of
from carrel.spawners.batch.jobs import Unclear
from carrel.spawners.batch.names import Naming

ENV = {"PATH": os.environ["PATH"]}


def test_a_value_is_a_word_and_no_shell_is_there_to_read_it() -> None:
    values = {"{job_id}": "1; touch /tmp/x"}
    words = words_of("squeue -h -j {job_id} -o '%T %B'", lambda word: values.get(word, word))
    assert words == ["squeue", "-h", "-j", "1; touch /tmp/x", "-o", "%T %B"]


def test_a_command_that_needs_a_shell_gets_one() -> None:
    assert words_of("cd /x && qsub", str) == ["/bin/sh", "-c", "cd /x && qsub"]


@pytest.mark.real
async def test_what_a_command_says_comes_back() -> None:
    ran = await run(["/bin/sh", "-c", "cat; echo no >&2; exit 3"], ENV, limit=10, text="a script")
    assert (ran.status, ran.out, ran.error) == (3, "a script", "no")


@pytest.mark.real
@pytest.mark.parametrize("words", [["no-such-command"], ["/bin/sh", "-c", "sleep 60 & sleep 60"]])
async def test_one_that_is_missing_or_hangs_tells_nothing(words: list[str]) -> None:
    with pytest.raises(Unclear, match=words[0]):
        await run(words, ENV, limit=0.2)


@pytest.mark.real
async def test_one_that_says_more_than_anybody_reads_is_ended() -> None:
    with pytest.raises(Unclear, match="yes said more than 50 MB"):
        await run(["yes"], ENV, limit=60)


def test_names_of_jobs_say_which_run_they_are_and_of_which_hub() -> None:
    for naming in (Naming(), Naming("c", 6)):
        name = naming.name("hub one", (12, 3))
        assert naming.key("hub one", name) == (12, 3)
        assert naming.key("hub two", name) is None
        for other in (f"{name}x", f"x{name}", name.replace("12", "+12"), name.upper(), ""):
            assert naming.key("hub one", other) is None
    assert len(Naming("c", 6).name("hub", (123, 45))) <= 15
