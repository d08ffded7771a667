"""One pod in the cluster: looked at, followed, made and deleted.

What the watch says is believed as long as all is well. Before something is called ended, gone or hopeless,
the API server itself is asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any

from carrel.spawners.kubernetes.api import Json, Refused, Unreachable, place_of
from carrel.spawners.kubernetes.belongings import USER, Foreign
from carrel.spawners.kubernetes.cluster import GENERATION, HUB, SERVER, Cluster
from carrel.spawners.kubernetes.sighting import Sighting, sight

_LOOK_AGAIN, _LONGEST_PAUSE = 3.0, 30.0
"""A pod that somebody waits for is looked at again after so many seconds, whatever the watch says."""
_UNWATCHED = 0.25
"""The same of a pod that the watch does not have: it is too new, or has none of our labels."""
_PAUSE = 0.5
_TRIES = 20
_log = logging.getLogger("carrel.spawners")


@dataclass(frozen=True, slots=True)
class PodAt:
    """Where a pod is, or should be."""

    cluster: Cluster
    namespace: str
    name: str
    uid: str = ""
    """Empty is whichever has the name."""
    watched: str = ""
    """The namespace that is watched, empty for all."""

    @property
    def path(self) -> str:
        """Return its address at the API server."""
        return place_of("pods", self.namespace, self.name)

    async def read(self) -> Json | None:
        """Return it as the API server has it, None when it is gone; raises Refused and Unreachable."""
        body = await self.cluster.api.find(self.path)
        return body if body is not None and self._is_it(body) else None

    def glance(self) -> Json | None:
        """Return what the watch knows of it, None for nothing."""
        found = self.cluster.pods(self.watched).find((self.namespace, self.name))
        return next((body for body in found if self._is_it(body)), None)

    async def see(self) -> Json | None:
        """Return it, None when it is gone; raises as `read` does, and ValueError for what is no pod."""
        if await self.cluster.pods(self.watched).is_current():
            body = self.glance()
            seen = sight(body) if body else None
            if seen and seen.exit_status is None and not seen.hopeless and not seen.deleting:
                return body
        return await self.read()

    async def look(self) -> Json | None:
        """Return it as `see` does; waits for ever for an API server that does not answer."""
        async with aclosing(self.follow()) as looks:
            return await anext(looks)

    async def follow(self) -> AsyncGenerator[Json | None, None]:
        """Yield it as it is now, and again whenever it may have changed, for ever.

        While the API server does not answer nothing is known and nothing is yielded. Raises Refused for what
        is no such pause, and ValueError for what is no pod.
        """
        watch, key = self.cluster.pods(self.watched), (self.namespace, self.name)
        pause = 0.0
        with watch.following(key) as changed:
            changed.set()
            while True:
                heard = changed.is_set()
                changed.clear()
                # When nothing was heard, that may only be because the watch has gone quiet.
                first = _LOOK_AGAIN if self.glance() else _UNWATCHED
                pause = first if heard else min(pause * 2, _LONGEST_PAUSE)
                try:
                    body = await (self.see() if heard else self.read())
                except (Refused, Unreachable) as error:
                    if isinstance(error, Refused) and not error.may_pass:
                        raise
                    _log.warning("The pod %s cannot be looked at, trying again: %s", self.name, error)
                else:
                    if not heard and not changed.is_set() and _version(body) != _version(self.glance()):
                        watch.doubt()
                    yield body
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await changed.wait()

    async def delete(self, grace: int) -> None:
        """Delete it, with so many seconds for its end, and return when it is gone; may be repeated."""
        if not await self.cluster.api.delete(self.path, grace=grace, uid=self.uid):
            return
        async with aclosing(self.follow()) as looks:
            async for body in looks:
                if body is None:
                    return

    def _is_it(self, body: Json) -> bool:
        return self.uid in ("", body["metadata"].get("uid"))


async def wait_until_settled(pod: PodAt) -> tuple[Json, Sighting] | None:
    """Return a pod once it runs, has ended, or will never run; None when it is gone. Raises as `see` does."""
    async with aclosing(pod.follow()) as looks:
        async for body in looks:
            if body is None:
                return None
            seen = sight(body)
            if seen.running or seen.exit_status is not None or seen.hopeless:
                return body, seen
    raise AssertionError("a pod is followed for ever")


async def make_way(pod: PodAt, marks: Mapping[str, str], user: str, grace: int) -> Json | None:
    """Delete an earlier run's pod of this name, and return this run's own if that is there already.

    Raises Foreign for a pod that is another server's or nobody's: it is left alone.
    """
    there = await pod.read()
    if there is None:
        return None
    seen = sight(there)
    if not seen.deleting:
        if marks.items() <= seen.labels.items():
            # The answer to our own request got lost.
            return there
        _check_older(seen, marks, user)
        _log.warning("The pod %s of an earlier run is deleted", pod.name)
    await replace(pod, uid=seen.metadata.uid).delete(grace)
    return None


async def create(pod: PodAt, body: Json, marks: Mapping[str, str], user: str, grace: int) -> Json:
    """Make a pod and return it; an earlier run's of the same name makes way.

    Raises Foreign as `make_way` does, Refused and Unreachable.
    """
    for attempt in range(_TRIES):
        try:
            return await pod.cluster.api.create(place_of("pods", pod.namespace), body)
        except Refused as refusal:
            if refusal.status != 409 or attempt == _TRIES - 1:
                raise
        own = await make_way(pod, marks, user, grace)
        if own is not None:
            return own
        await asyncio.sleep(_PAUSE)
    raise AssertionError("the last try returns or raises")


def number(labels: Mapping[str, Any], label: str) -> int:
    """Return what a label of ours says, -1 when it says no number."""
    text = str(labels.get(label, ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else -1


def _version(body: Json | None) -> str:
    return str(body["metadata"].get("resourceVersion")) if body else ""


def _check_older(seen: Sighting, marks: Mapping[str, str], user: str) -> None:
    labels, name = seen.labels, seen.metadata.name
    if HUB not in labels:
        # Of the time before Carrel: KubeSpawner writes down whose it is.
        if seen.annotations.get(USER) == user:
            return
    elif (labels[HUB], labels.get(SERVER)) == (marks[HUB], marks[SERVER]):
        if number(labels, GENERATION) < int(marks[GENERATION]):
            return
        raise Foreign(f"A newer run of this server has the pod {name} already.")
    raise Foreign(f"There is a pod {name} that is not of this server.")
