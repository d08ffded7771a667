"""What a run showed: what is wrong, and a table of what happened."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from tests.chaos.school import Row, School
from tests.chaos.site import Run
from tests.history import Violation

#: After the storm everything has to be in order within this, in seconds.
PEACE = 30.0
#: How far beyond its deadline something may be pending, in seconds.
LATE = 5.0


@dataclass(slots=True)
class World:
    """Rows and processes at one moment, and what does not fit."""

    running: int = 0
    lost: list[str] = field(default_factory=list)
    """Rows that say running where nothing answers through the data plane."""
    doubled: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    """Processes that no row claims."""
    pending: list[str] = field(default_factory=list)

    @property
    def in_order(self) -> bool:
        return not (self.lost or self.doubled or self.orphaned or self.pending)


async def look_at_world(school: School, session: aiohttp.ClientSession) -> World:
    """Compare every row with every process, and ask every server who it is."""
    rows, runs = school.rows(), Counter(school.live_runs())
    running = {row.run: row for row in rows if row.actual == "running"}
    servers = Counter(server_id for server_id, _ in runs.elements())
    answers = await asyncio.gather(*(_who_answers(school, session, row) for row in running.values()))
    return World(
        running=len(running),
        lost=[
            f"{row} is {said!r}"
            for row, said in zip(running.values(), answers, strict=True)
            if row.run != said
        ],
        doubled=[
            f"server {server_id}: {count} processes" for server_id, count in servers.items() if count > 1
        ],
        orphaned=[str(run) for run in runs if run not in running],
        pending=[str(row) for row in rows if row.pending],
    )


async def wait_for_order(school: School, session: aiohttp.ClientSession) -> tuple[World, float]:
    """Return the world as soon as all is in order, or as it is when peace has lasted long enough."""
    began = time.monotonic()
    while True:
        world = await look_at_world(school, session)
        waited = time.monotonic() - began
        if world.in_order or waited > PEACE:
            return world, waited
        await asyncio.sleep(0.5)


async def _who_answers(school: School, session: aiohttp.ClientSession, row: Row) -> Run | str:
    url = f"{school.hub.public_url}user/{row.user}/api"
    try:
        async with session.get(url, timeout=aiohttp.ClientTimeout(10)) as reply:
            words = (await reply.text()).split()
            return (int(words[0]), int(words[1])) if reply.status == 200 else str(reply.status)
    except (OSError, aiohttp.ClientError, TimeoutError, ValueError, IndexError) as error:
        return repr(error)


@dataclass(slots=True)
class Verdict:
    """The outcome of a run."""

    figures: Mapping[str, str]
    world: World
    broken_sockets: list[str]
    late: list[str]
    violations: Mapping[str, Violation]

    def complaints(self) -> list[str]:
        """Return all that is wrong, a line or a few for each."""
        found = {
            "lost": self.world.lost,
            "doubled": self.world.doubled,
            "orphaned": self.world.orphaned,
            "still pending": self.world.pending,
            "websocket broken": self.broken_sockets,
            "pending past its deadline": self.late,
            "history": [f"{server}: {violation}" for server, violation in self.violations.items()],
        }
        return [f"{what}: {which}" for what, several in found.items() for which in several]

    def table(self) -> str:
        """Return the figures, one a line."""
        counts = {
            "lost": len(self.world.lost),
            "doubled": len(self.world.doubled),
            "orphaned": len(self.world.orphaned),
            "pending past deadline + 5 s": len(self.late),
            "websockets broken by hub kills": len(self.broken_sockets),
            "servers with an impossible history": len(self.violations),
        }
        rows = {**self.figures, **{name: str(count) for name, count in counts.items()}}
        width = max(map(len, rows))
        return "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())
