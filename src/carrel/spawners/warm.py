"""Starting servers from templates, processes that have a single-user program imported: `carrel.warmstart`.

Whatever stands in the way, the server is started as any other program, and the reason is logged once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from carrel.lib.process_table import Process, look
from carrel.lib.processes import Program, collect, launch, send, wait_until_gone
from carrel.spawners.scripts import NoWarmStart, Obstacle, Script, find_script
from carrel.spawners.shared import Measure
from carrel.spawners.warm_probes import Probes
from carrel.spawners.warm_request import request_for
from carrel.spawners.warm_template import BadTemplate, Kind, StaleTemplate, WarmTemplate
from carrel.warmstart.variables import shared

_END_LIMIT = 2.0
_PROBE_LIMIT = 60.0
#: How long a start waits for a template that is being made.
_PATIENCE = 20.0
#: For how long a template that is not good is not tried again.
_PAUSE = 600.0
_MOST_TEMPLATES = 8
_log = logging.getLogger("carrel.spawners")


@dataclass(frozen=True, slots=True)
class WarmServer:
    """A process that a template has started, and that is no child of the hub's."""

    process: Process
    template: WarmTemplate

    async def exit_status(self) -> int | None:
        """Return the status of a process that has ended (negative: a signal), once; None when unknown."""
        try:
            async with asyncio.timeout(_END_LIMIT):
                while (
                    status := self.template.take_end(self.process.pid)
                ) is None and self.template.connected:
                    await self.template.next_end()
        except TimeoutError:
            return None
        return status


class WarmStarts:
    """The templates of one hub, in a directory that is its own alone; nothing happens before it is asked."""

    def __init__(self, directory: Path, options: tuple[str, ...] = ()) -> None:
        self._directory = directory
        self._options = options
        self._templates: dict[str, WarmTemplate] = {}
        self._bad: dict[str, tuple[float, str]] = {}
        self._told: set[str] = set()
        self._forked = 0
        self._fell_back: Counter[Obstacle] = Counter()

    async def launch(
        self, program: Program, output: int, names: Collection[str], patience: float = _PATIENCE
    ) -> WarmServer | None:
        """Start `program` from a template, if its command is one of `names`; None when that cannot be.

        `output` is as for `processes.launch`. Waits up to `patience` seconds, or 20, for a template that is
        being made. When cancelled, kills what was started first.
        """
        try:
            started = await self._launch(program, output, names, patience)
        except NoWarmStart as reason:
            self._fell_back[reason.obstacle] += 1
            self._tell(str(reason), logging.INFO)
        except StaleTemplate as reason:
            self._fell_back[Obstacle.NO_ANSWER] += 1
            self._tell(f"its template ended: {reason}", logging.INFO)
        else:
            self._forked += 1
            return started
        return None

    async def _launch(
        self, program: Program, output: int, names: Collection[str], patience: float
    ) -> WarmServer:
        script = find_script(program.argv, program.env, names)
        template = self._template(script, shared(program.env), program.account is not None)
        await self._prepared(template, patience)
        asked = template.connection
        try:
            return await start_in(template, program, script, output)
        except StaleTemplate:
            template.forget(asked)
            await self._prepared(template, patience)
            return await start_in(template, program, script, output)

    def measures(self) -> Iterator[Measure]:
        """Return how many templates are ready, how many starts came from one, and why others did not."""
        ready = sum(template.connected for template in self._templates.values())
        yield Measure("warm_templates", "Templates that servers are started from", (), ready)
        yield Measure(
            "warm_starts", "Servers that were started from a template", (), self._forked, counts=True
        )
        for obstacle in Obstacle:
            labels = (("reason", str(obstacle)),)
            text = "Servers that were started the usual way, by what stood in the way of a warm start"
            yield Measure("warm_start_fallbacks", text, labels, self._fell_back[obstacle], counts=True)

    async def warm_up(self, program: Program, names: Collection[str], *, others: bool) -> None:
        """Have the template ready that `program` comes from, with rights of `others` or the hub's."""
        try:
            script = find_script(program.argv, program.env, names)
            await self._prepared(self._template(script, shared(program.env), others))
        except NoWarmStart as reason:
            self._tell(str(reason), logging.INFO)

    async def close(self, *, end: bool) -> None:
        """Let go of all templates: the next hub finds them. With `end`, they end when their servers have."""
        await asyncio.gather(*(template.close(end=end) for template in self._templates.values()))

    def _template(self, script: Script, environment: Mapping[str, str], others: bool) -> WarmTemplate:
        kind = Kind(script.interpreter, environment, others, self._options)
        key = kind.key
        until, reason = self._bad.get(key, (0.0, ""))
        if until > asyncio.get_running_loop().time():
            raise BadTemplate(reason)
        if key not in self._templates:
            if len(self._templates) >= _MOST_TEMPLATES:
                raise NoWarmStart(
                    "there are templates for many other interpreters and languages already",
                    Obstacle.TOO_MANY_TEMPLATES,
                )
            self._templates[key] = WarmTemplate(self._directory / key, kind, check)
        return self._templates[key]

    async def _prepared(self, template: WarmTemplate, patience: float = _PATIENCE) -> None:
        try:
            async with asyncio.timeout(min(patience, _PATIENCE)):
                await template.prepare()
        except TimeoutError:
            raise NoWarmStart("its template is not ready yet", Obstacle.NOT_READY) from None
        except BadTemplate as reason:
            self._tell(f"{reason}. Servers are started the usual way, which takes longer", logging.WARNING)
            self._told.add(str(reason))
            self._bad[template.kind.key] = asyncio.get_running_loop().time() + _PAUSE, str(reason)
            raise

    def _tell(self, reason: str, level: int) -> None:
        if reason not in self._told:
            self._told.add(reason)
            _log.log(level, "No warm start: %s", reason)


async def start_in(template: WarmTemplate, program: Program, script: Script, output: int) -> WarmServer:
    """Start a server from a template that is there. Raises NoWarmStart and StaleTemplate."""
    starting = asyncio.ensure_future(asyncio.to_thread(_start, template, program, script, output))
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # What else comes of it is told to nobody any more.
        with contextlib.suppress(Exception):
            process = await starting
            send(process, signal.SIGKILL)
            await wait_until_gone(process, _END_LIMIT)
        raise
    return WarmServer(process, template)


def _start(template: WarmTemplate, program: Program, script: Script, output: int) -> Process:
    try:
        request = request_for(program, script)
    except OSError as error:
        text = f"what it would have of the hub cannot be seen: {error}"
        raise NoWarmStart(text, Obstacle.SETTINGS) from error
    with open(os.devnull, "wb") as null:
        pid = template.ask(request, null.fileno() if output == subprocess.DEVNULL else output, program.admit)
    seen = look(pid)
    return Process(pid, seen.start_time if seen else "")


async def check(template: WarmTemplate) -> None:
    """Compare a child of the template with a process that was started the usual way.

    Raises BadTemplate with what is different, and StaleTemplate.
    """
    with Probes(template.kind) as probes:
        trials = [start_in(template, probes.program, probes.script, probes.output()) for _ in range(2)]
        # Both must have begun or failed: what the other one writes to is closed with the probes.
        outcomes = await asyncio.gather(*trials, return_exceptions=True)
        children = [_begun(outcome) for outcome in outcomes]
        usual = await launch(probes.program, probes.output())
        for process in (*(child.process for child in children), usual):
            if not await wait_until_gone(process, _PROBE_LIMIT):
                send(process, signal.SIGKILL)
        collect(usual)
        differences = probes.differences()
    if differences:
        raise BadTemplate(f"its processes differ from those started the usual way: {'; '.join(differences)}")


def _begun(outcome: WarmServer | BaseException) -> WarmServer:
    """Return what a trial came to; raise BadTemplate and StaleTemplate for one that failed."""
    if isinstance(outcome, NoWarmStart):
        raise BadTemplate(f"a trial failed: {outcome}")
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
