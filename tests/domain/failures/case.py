"""One cause with all the ways in which it is seen."""

from __future__ import annotations

from dataclasses import dataclass, replace

from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence

URL = "http://127.0.0.1:8888/user/ada/api"
FACTS = {"url": URL, "prefix": "/user/ada/", "port": "8888", "step": "start()"}


@dataclass(frozen=True, slots=True)
class Case:
    """A cause: its code, words of the sentence, words of the next step, and what was seen."""

    cause: str
    code: str
    message: str
    hint: str
    seen: tuple[Evidence, ...]


def case(cause: str, code: str, message: str, hint: str, *seen: Evidence) -> Case:
    return Case(cause, code, message, hint, seen)


def ended(log: str = "", status: int = 1, stage: Stage = Stage.READY, **facts: str) -> Evidence:
    """The server ended before it answered."""
    return Evidence(stage=stage, end=End.ENDED, status=status, log=log, facts=FACTS | facts)


def ran(log: str = "", status: int = 1, **facts: str) -> Evidence:
    """The server ended after it had run."""
    return ended(log, status, Stage.RUNNING, **facts)


def silent(log: str = "", **facts: str) -> Evidence:
    """The server lives and does not answer."""
    return Evidence(stage=Stage.READY, end=End.SILENT, limit=30, log=log, facts=FACTS | facts)


def late(
    log: str = "", stage: Stage = Stage.START, limit: float | None = 60, step: str = "start()"
) -> Evidence:
    """A time limit passed."""
    return Evidence(stage=stage, end=End.LATE, limit=limit, log=log, facts=FACTS | {"step": step})


def raised(text: str, error: str = "RuntimeError", log: str = "", hint: str = "") -> Evidence:
    """The driver's start raised."""
    return Evidence(
        stage=Stage.START, end=End.RAISED, error=error, text=text, log=log, hint=hint, facts=FACTS
    )


def step(stage: Stage, name: str, text: str = "no", error: str = "ValueError", told: str = "") -> Evidence:
    """A step before the driver's start raised."""
    return replace(raised(text, error), stage=stage, facts=FACTS | {"step": name, "told": told})


def refused(what: str, limit: float, **facts: str) -> Evidence:
    """The hub did not let the start begin."""
    return Evidence(stage=Stage.WAITING, end=End.REFUSED, limit=limit, facts=facts | {"refusal": what})


def trace(*lines: str) -> str:
    """A traceback as Python prints it."""
    head = (
        "Traceback (most recent call last):",
        '  File "/opt/conda/bin/jupyterhub-singleuser", line 8, in <module>',
    )
    return "\n".join((*head, "    sys.exit(main())", *lines))
