"""One run: a school, a storm, and a hand that kills."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import aiohttp

from tests.chaos.diary import Diary
from tests.chaos.plan import Kill, Plan, Target
from tests.chaos.school import School
from tests.chaos.site import Site
from tests.chaos.sockets import Sockets
from tests.chaos.storm import Storm
from tests.chaos.verdict import LATE, Verdict, wait_for_order
from tests.history import History
from tests.rigs.visitor import authorization

_TRIES = 8


class Chaos:
    """Carries out a plan below `directory`."""

    def __init__(self, plan: Plan, directory: Path, site: Site | None = None) -> None:
        self._plan = plan
        self._school = School(directory, site or Site())
        self._history = History()
        self._diary = Diary(self._school.diary)
        self._kills: Counter[str] = Counter()
        self._windows = 0
        self._late: list[str] = []

    async def run(self) -> Verdict:
        """Return what came of it; raises AssertionError when the hub cannot even be started."""
        try:
            self._school.hub.start()
            token = self._school.hub.token("admin")
            connector = aiohttp.TCPConnector(force_close=True, limit=0)
            async with aiohttp.ClientSession(connector=connector, headers=authorization(token)) as session:
                # A DELETE that was cut off would be sent again unseen, and the history would lack the first.
                session._retry_connection = False
                return await self._run(session, token)
        finally:
            self._school.close()

    async def _run(self, session: aiohttp.ClientSession, token: str) -> Verdict:
        users = [f"user{number:02}" for number in range(self._plan.users)]
        keepers = [f"keeper{number}" for number in range(self._plan.keepers)]
        await self._make_users(session, users + keepers)
        storm = Storm(session, self._school.api, self._history, self._plan.seed)
        for keeper in keepers:
            await storm.start(keeper)
            # A start that takes long is answered before it is over.
            await asyncio.to_thread(self._school.hub.wait_server, keeper, token)
        sockets = Sockets(self._school.hub.public_url)
        await sockets.open(keepers, self._plan.sockets)
        storm.begin(users)
        async with _beside(self._diary.follow(), self._watch_deadlines()):
            took = await self._kill_all(session, sockets)
            await storm.end()
            world, waited = await wait_for_order(self._school, session)
            for user in users + keepers:
                await storm.look(user)
            self._diary.update()
        self._diary.hand_over(self._history)
        figures = self._figures(took, waited, world.running, sockets, storm)
        return Verdict(figures, world, sockets.broken, self._late, self._history.problems())

    async def _make_users(self, session: aiohttp.ClientSession, names: list[str]) -> None:
        async with session.post(f"{self._school.api}/users", json={"usernames": names}) as reply:
            assert reply.status == 201, await reply.text()

    async def _kill_all(self, session: aiohttp.ClientSession, sockets: Sockets) -> float:
        """Carry out every kill and return how long that took, in seconds."""
        began = time.monotonic()
        for number, kill in enumerate(self._plan.sequence()):
            if number == self._plan.hub_only:
                await self._school.ready(session)
                await sockets.close()
            await self._kill(session, kill)
        took = time.monotonic() - began
        await self._school.ready(session)
        return took

    async def _kill(self, session: aiohttp.ClientSession, kill: Kill) -> None:
        if kill.after_ready:
            await self._school.ready(session)
        await asyncio.sleep(kill.pause)
        self._kills[kill.target] += 1
        if kill.target is not Target.PLANE:
            if kill.aimed:
                await self._aim()
            self._school.kill_hub()
        if kill.target is not Target.HUB:
            self._school.kill_plane()
        if kill.target is Target.BOTH:
            self._school.strike()
        if kill.target is not Target.PLANE:
            self._school.launch()

    async def _aim(self) -> None:
        """Hold the hub, a few times if need be, until a start stands between intent and checkpoint."""
        for _ in range(_TRIES):
            self._school.hold()
            if self._school.is_launching():
                self._windows += 1
                return
            self._school.let_go()
            await asyncio.sleep(0.01)

    async def _watch_deadlines(self) -> None:
        """Note what is pending beyond its deadline although there was a hub all the time."""
        while True:
            for row in self._school.rows():
                if row.pending and row.deadline is not None and time.time() > row.deadline + LATE:
                    self._late.append(f"{row} at {time.time()}")
            await asyncio.sleep(1)

    def _figures(
        self, took: float, waited: float, running: int, sockets: Sockets, storm: Storm
    ) -> dict[str, str]:
        waits, log = sorted(self._school.waits), self._school.hub.log
        kills = ", ".join(f"{count} {target}" for target, count in sorted(self._kills.items()))
        return {
            "seed": str(self._plan.seed),
            "kills": f"{self._plan.kills} ({kills}) in {took:.0f} s: {self._plan.kills / took:.1f} a second",
            "kills between intent and checkpoint": str(self._windows),
            "answers to clients": ", ".join(f"{told}: {n}" for told, n in sorted(storm.told.items())),
            "processes of servers": str(len(self._diary.lives)),
            "starts adopted without a checkpoint": str(log.count("ran without a checkpoint")),
            "starts adopted": str(log.count("was adopted")),
            "starts lost": str(log.count("The hub was restarted while")),
            "orphans ended": str(log.count("ran without a row")),
            "operations in the history": str(len(self._history)),
            "hub answers again": f"{statistics.median(waits):.2f} s in the median, "
            f"{waits[len(waits) * 99 // 100]:.2f} s for 99 of 100, {waits[-1]:.2f} s at most",
            "websockets": f"{len(sockets)}, {sockets.echoes} echoes over the kills of the hub alone",
            "all in order after": f"{waited:.1f} s, with {running} servers",
        }


@contextlib.asynccontextmanager
async def _beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the block; what it raises is raised at the block's end."""
    tasks = [asyncio.create_task(steps) for steps in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome
