"""Gathering what is known of a failure, where it happens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from carrel.core.context import HubContext
from carrel.core.servers import server_path
from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import MOST_CHARACTERS, MOST_LINES, Evidence, diagnosing
from carrel.domain.servers import Failure, Server
from carrel.lib.awaiting import resolve_within
from carrel.lib.redaction import clean_lines, is_secret_name
from carrel.spawners.base import Spawner

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_SHORTEST_SECRET = 6
_CALL_LIMIT = 10.0
_log = logging.getLogger("carrel.lifecycle")


class NotReady(Exception):
    """A start has failed, and this is what is known of it."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(f"{evidence.stage} {evidence.end}")
        self.evidence = evidence


@dataclass(slots=True)
class Course:
    """Which step of a start is under way: if it breaks off, this is where."""

    stage: Stage = Stage.START
    step: str = "start()"

    def enter(self, stage: Stage, step: str) -> None:
        """Note the step that begins; `step` is the name of a setting or method."""
        self.stage, self.step = stage, step

    def raised(self, error: BaseException) -> Evidence:
        """Return what an exception tells about the present step."""
        facts = {"step": self.step, "told": str(getattr(error, "jupyterhub_message", "") or "")}
        return Evidence(
            stage=self.stage,
            end=End.RAISED,
            error=type(error).__name__,
            text=str(error),
            hint=str(getattr(error, "hint", "") or ""),
            facts=facts,
        )

    def late(self, limit: float, *, queued: bool = False) -> Evidence:
        """Return that the present step was under way when a limit of so many seconds passed.

        That of one that is `queued` in its back end was for the wait there.
        """
        facts = {"step": self.step} | ({"queued": "yes"} if queued else {})
        return Evidence(stage=self.stage, end=End.LATE, limit=limit, facts=facts)


def cut_off(evidence: Evidence) -> Evidence:
    """Return evidence of a start that the end of a hub had cut off: how its server ended may be unknown."""
    return replace(evidence, facts={**evidence.facts, "away": "yes"})


async def explain(ctx: HubContext, row: Server, driver: Spawner, evidence: Evidence, log: str) -> Failure:
    """Return what people are told, with what the row and the driver know added to the evidence.

    Many starts may fail at once: the hub goes on between the searches.
    """
    facts = {**facts_of(ctx, row, driver), **await _findings(driver), **evidence.facts}
    for failure in diagnosing(replace(evidence, log=log, facts=facts, secrets=_secrets(driver))):
        if failure is not None:
            return failure
        await asyncio.sleep(0)
    raise AssertionError("a diagnosis ends with a failure")


def clean_log(driver: Spawner, log: str) -> str:
    """Return the end of a log as it may be kept with a failure whose cause is known already."""
    return clean_lines(log, MOST_LINES, MOST_CHARACTERS, secrets=_secrets(driver))


def facts_of(ctx: HubContext, row: Server, driver: Spawner) -> Mapping[str, str]:
    """Return what is known of a run whatever became of it."""
    prefix = server_path(ctx, row)
    facts = {
        "driver": " ".join(kind.__name__ for kind in type(driver).__mro__),
        "user": row.user_name,
        "prefix": prefix,
        "port": str(driver.server.port or driver.port),
    }
    if row.url:
        facts |= {"url": f"{row.url}{prefix}api", "port": row.url.rpartition(":")[2]}
    if driver.mem_limit:
        facts["memory"] = f"its limit is {_size(int(driver.mem_limit))}"
    if most := getattr(driver, "pids_limit", None):
        facts["processes"] = f"its limit is {most}"
    return facts


async def _findings(driver: Spawner) -> Mapping[str, str]:
    """Return what the driver saw at the end, nothing when it cannot say."""
    try:
        found = await resolve_within(driver.findings(), _CALL_LIMIT)
        return {str(name): str(value) for name, value in found.items()}
    except Exception:
        _log.exception("%s cannot say what it saw of the end of a server", type(driver).__name__)
        return {}


def _size(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.3g} {unit}"
        count /= 1024
    return f"{count:.3g} {_UNITS[-1]}"


def _secrets(driver: Spawner) -> tuple[str, ...]:
    """Return the values that this run was given and that are nobody's business."""
    given = [value for name, value in driver.environment.items() if is_secret_name(name)]
    texts = [driver.api_token, *(value for value in given if isinstance(value, str))]
    return tuple(text for text in texts if len(text) >= _SHORTEST_SECRET)
