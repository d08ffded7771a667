"""A copy of all objects of a kind that concern the hub, kept current by one watch for everybody.

Source: "Kubernetes API Concepts", efficient detection of changes: a list says at which version it is true,
and a watch tells what changed since; a version that the API server has forgotten (410 Gone) asks for a new
list. What a watch misses, for whatever reason, is found by listing again from time to time. Whoever has to
know for certain that something is gone asks the API server itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from carrel.lib.backoff import Backoff
from carrel.spawners.kubernetes.api import Api, Json, Refused, Unreachable

Key = tuple[str, str]
"""Namespace and name of an object; of an event, namespace and uid of what it is about."""
_FIRST_LIST = 5.0
"""So long, in seconds, whoever wants to know waits for the first list."""
_DOUBTS = 5.0
"""A list may be asked for again after so many seconds."""
_PAGE = "500"
_ROUND = 60.0
"""A watch is asked for so many seconds, a little less by chance, so that one that has died is noticed."""
_MARGIN = 10.0
_RELIST = 300.0
_IDLE = 600.0
"""A watch that nobody has used for so long, in seconds, ends until somebody does."""
_CURRENT = _ROUND + 2 * _MARGIN
"""A copy that was known to be true so many seconds ago is still believed."""
_log = logging.getLogger("carrel.spawners")


class _Gone(Exception):
    """The API server no longer has the version that the watch should go on from."""


def by_name(body: Json) -> Key:
    """Return the key of an object."""
    metadata = body["metadata"]
    return str(metadata.get("namespace", "")), str(metadata["name"])


def by_subject(event: Json) -> Key:
    """Return the key of what an event is about."""
    about = event.get("involvedObject") or {}
    return str(about.get("namespace", "")), str(about.get("uid", ""))


def of_pod(body: Json) -> Json:
    """Return the parts of a pod that the hub looks at: a tenth of it."""
    containers = [
        {"name": each["name"], "image": each.get("image", "")} for each in body["spec"]["containers"]
    ]
    return {**_without_managers(body), "spec": {"containers": containers}}


def _without_managers(body: Json) -> Json:
    """Leave out who has set which field."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    return {**body, "metadata": metadata}


class Watch:
    """The objects of one collection that a selection has. It begins when somebody first asks."""

    def __init__(
        self,
        api: Api,
        path: str,
        selection: Mapping[str, str],
        chance: Callable[[], float],
        key_of: Callable[[Json], Key] = by_name,
        keep: Callable[[Json], Json] = _without_managers,
    ) -> None:
        self._api = api
        self._path = path
        self._selection = dict(selection)
        self._chance = chance
        self._key_of = key_of
        self._keep = keep
        self._objects: dict[Key, dict[Key, Json]] = {}
        self._followers: dict[Key, set[asyncio.Event]] = {}
        self._version = ""
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._heard = self._listed = float("-inf")
        self._used = 0.0
        self._complaint = ""

    @property
    def staleness(self) -> float:
        """Return how many seconds ago the copy was last known to be true; infinite before the first list."""
        return asyncio.get_running_loop().time() - self._heard

    async def is_current(self) -> bool:
        """Tell whether the copy can be believed; waits a little for the first list."""
        self._use()
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_LIST):
                await self._tried.wait()
        return self.staleness <= _CURRENT

    def find(self, key: Key) -> list[Json]:
        """Return the objects of a key, in the order of their names; do not change them."""
        self._use()
        found = self._objects.get(key, {})
        return [found[name] for name in sorted(found)]

    def all(self) -> list[Json]:
        """Return all objects; do not change them."""
        self._use()
        return [body for group in self._objects.values() for body in group.values()]

    @contextmanager
    def following(self, key: Key) -> Iterator[asyncio.Event]:
        """Yield an event that is set whenever something of the key changes; clear it before you look."""
        self._use()
        event = asyncio.Event()
        self._followers.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            self._followers[key].discard(event)
            if not self._followers[key]:
                del self._followers[key]

    def doubt(self) -> None:
        """Begin anew with a list: the API server knows more than the watch has told.

        Of many who doubt the first is heard: one that is being made would never come to its end.
        """
        if self._task is not None and self._version and self._now() - self._listed > _DOUBTS:
            self._complain("it has missed something")
            self._version = ""
            self._task.cancel()
            self._task = asyncio.create_task(self._run(), name=f"watch {self._path}")

    async def close(self) -> None:
        """End the watch; may be repeated."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    def _use(self) -> None:
        self._used = asyncio.get_running_loop().time()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name=f"watch {self._path}")

    async def _run(self) -> None:
        backoff: Backoff[str] = Backoff(0.5, 30.0, self._chance)
        while not self._is_idle():
            try:
                if not self._version or self._now() - self._listed > _RELIST:
                    await self._list()
                if await self._hear():
                    backoff.clear("")
                    self._complaint = ""
                    continue
                # What ends at once and without a word would be asked for without a pause.
                problem = "the watch ended at once"
            except _Gone:
                _log.info("The watch of %s begins anew: the API server has no such version", self._path)
                self._version, problem = "", ""
            except (Refused, Unreachable) as error:
                # The watch goes on from where it was: no list of everything for nothing.
                problem = str(error)
            except Exception as error:
                problem = str(error) or type(error).__name__
                # A list is the surest way back from whatever went wrong.
                self._version = ""
            self._complain(problem)
            self._tried.set()
            await asyncio.sleep(backoff.fail(""))
        self._version, self._heard = "", float("-inf")
        self._objects.clear()
        self._tried.clear()

    def _is_idle(self) -> bool:
        return not self._followers and self._now() - self._used > _IDLE

    def _complain(self, problem: str) -> None:
        """Say once what is wrong, not at each try."""
        if problem and problem != self._complaint:
            self._complaint = problem
            _log.warning("%s cannot be watched, trying again: %s", self._path, problem)

    async def _list(self) -> None:
        found: dict[Key, dict[Key, Json]] = {}
        query = {**self._selection, "limit": _PAGE}
        while True:
            try:
                page = await self._api.get(self._path, query)
            except Refused as refusal:
                if refusal.status == 410:
                    raise _Gone from None
                raise
            for body in page.get("items") or ():
                found.setdefault(self._key_of(body), {})[by_name(body)] = self._keep(body)
            metadata = page["metadata"]
            if not (rest := metadata.get("continue")):
                break
            query["continue"] = rest
        self._take(found)
        self._version = str(metadata["resourceVersion"])
        self._heard = self._listed = self._now()
        self._tried.set()

    def _take(self, found: dict[Key, dict[Key, Json]]) -> None:
        """Put a whole list in the place of what was known, and wake those for whom that is news."""
        before, self._objects = self._objects, found
        for key in tuple(self._followers):
            if before.get(key) != found.get(key):
                self._wake(key)

    async def _hear(self) -> bool:
        """Take what the watch tells until it ends; tell whether it was of use."""
        began, told = self._now(), False
        seconds = _ROUND * (1 - self._chance() / 4)
        query = {
            **self._selection,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(int(seconds)),
        }
        try:
            async with self._api.stream(self._path, query, seconds + _MARGIN) as changes:
                self._heard = self._now()
                async for change in changes:
                    told = True
                    self._note(change)
        except Refused as refusal:
            if refusal.status == 410:
                raise _Gone from None
            raise
        self._heard = self._now()
        return told or self._heard - began > 1.0

    def _note(self, change: Json) -> None:
        kind, body = change.get("type"), change["object"]
        if kind == "ERROR":
            if body.get("code") == 410:
                raise _Gone
            raise Refused(int(body.get("code", 0)), str(body.get("reason", "")), str(body.get("message", "")))
        self._version = str(body["metadata"]["resourceVersion"])
        self._heard = self._now()
        if kind == "BOOKMARK":
            return
        key, name = self._key_of(body), by_name(body)
        if kind == "DELETED":
            group = self._objects.get(key, {})
            group.pop(name, None)
            if not group:
                self._objects.pop(key, None)
        else:
            self._objects.setdefault(key, {})[name] = self._keep(body)
        self._wake(key)

    def _wake(self, key: Key) -> None:
        for event in self._followers.get(key, ()):
            event.set()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
