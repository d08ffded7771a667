"""One question to the batch system for all servers whose state somebody wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from carrel.spawners.batch.jobs import Job, Jobs, Unclear

#: After a question the system has so many times the pause that its answer took: a slow one is asked less.
_SHARE = 4.0
_MOST_IDS = 500

Question = Callable[[Collection[str]], Awaitable[Jobs]]


class Board:
    """Collects who asks, asks for all of them at once, every so many seconds at most."""

    def __init__(self) -> None:
        self._asked: dict[str, list[asyncio.Future[Job | None]]] = {}
        self._hurried = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._next = 0.0
        #: The system has answered at least once; else the hub may lack the right to ask for all.
        self.works = False

    async def ask(self, job_id: str, question: Question, pause: float, *, now: bool = False) -> Job | None:
        """Return what is known of a job, None when the system answers and does not know it.

        The answer is to a question that was put after this call; `now` puts it without a pause. Raises
        Unclear when there is no answer.
        """
        answer: asyncio.Future[Job | None] = asyncio.get_running_loop().create_future()
        self._asked.setdefault(job_id, []).append(answer)
        if now:
            self._hurried.set()
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(
                self._work(question, pause), name="questions to the batch system"
            )
        return await answer

    async def close(self) -> None:
        """End what is being asked; may be repeated."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait((self._worker,))

    async def _work(self, question: Question, pause: float) -> None:
        loop = asyncio.get_running_loop()
        while self._asked:
            try:
                async with asyncio.timeout_at(self._next):
                    await self._hurried.wait()
            except TimeoutError:
                pass
            self._hurried.clear()
            ids = list(self._asked)[:_MOST_IDS]
            asked = {job_id: self._asked.pop(job_id) for job_id in ids}
            began = loop.time()
            await _answer(asked, question, self._note)
            self._next = loop.time() + max(pause, _SHARE * (loop.time() - began))

    def _note(self) -> None:
        self.works = True


async def _answer(
    asked: dict[str, list[asyncio.Future[Job | None]]], question: Question, heard: Callable[[], None]
) -> None:
    jobs: Jobs = {}
    problem: Unclear | None = None
    try:
        jobs = await question(asked)
        heard()
    except Unclear as error:
        problem = error
    except Exception as error:
        problem = Unclear(f"the answer makes no sense: {error!r:.200}")
    for job_id, answers in asked.items():
        for answer in answers:
            if answer.done():
                continue
            if problem is None:
                answer.set_result(jobs.get(job_id))
            else:
                answer.set_exception(Unclear(*problem.args))


class Remembered:
    """An answer that is good for some seconds; everybody who asks meanwhile shares it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._since: float | None = None
        self._took = 0.0
        self._answer: Any = None
        self._changes = 0

    def doubt(self) -> None:
        """Something has changed: an answer to a question that was put before is not given any more."""
        self._changes += 1
        self._since = None

    async def get(self, question: Callable[[], Awaitable[Any]], seconds: float) -> Any:
        """Return the answer to a question that was put so many seconds ago at most; raises what it raises.

        A question that takes its time is put less often.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            since = self._since
            while since is None or loop.time() - since >= max(seconds, _SHARE * self._took):
                now, changes = loop.time(), self._changes
                self._answer = await question()
                self._took = loop.time() - now
                if changes == self._changes:
                    self._since = now
                    break
            return self._answer

    async def close(self) -> None:
        """Do nothing: nothing of it is at work."""
