"""What Kubernetes tells of a pod: events, the log, what is measured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from carrel.spawners.kubernetes.api import Api, Json, Refused, Unreachable, place_of
from carrel.spawners.kubernetes.cluster import Cluster
from carrel.spawners.kubernetes.pods import PodAt
from carrel.spawners.kubernetes.sighting import SERVER, Sighting

_MOST_WARNINGS = 5
_FROM, _STEP, _TO = 30, 4, 58
"""How far a start is, in percent: the hub's own steps are before and after."""
_SUFFIXES = {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
}
_IN_WORDS = {
    "FailedScheduling": "No machine has room for the server yet",
    "TriggeredScaleUp": "The cluster gets another machine",
    "FailedMount": "The volume with your files is not there yet",
    "FailedAttachVolume": "The volume with your files is not there yet",
}


async def told(cluster: Cluster, pod: PodAt) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of a pod as the pending page shows them, for ever."""
    watch, key, seen, progress = cluster.events(pod.watched), (pod.namespace, pod.uid), set[str](), _FROM
    with watch.following(key) as changed:
        while True:
            changed.clear()
            for event in sorted(watch.find(key), key=_when):
                message = _message(event)
                # The same thing told again and again is told once.
                if message not in seen:
                    seen.add(message)
                    yield {"progress": progress, "message": message}
                    progress = min(progress + _STEP, _TO)
            await changed.wait()


async def warnings(api: Api, seen: Sighting) -> list[str]:
    """Return the last warnings of a pod, as lines; none when the API server does not tell them."""
    about = seen.metadata
    selection = {"fieldSelector": f"involvedObject.uid={about.uid}"}
    try:
        found = await api.get(place_of("events", about.namespace), selection)
    except (Refused, Unreachable):
        return []
    events = sorted((each for each in found.get("items") or () if each.get("type") == "Warning"), key=_when)
    return [f"{each.get('reason')}: {each.get('message')}" for each in events[-_MOST_WARNINGS:]]


async def log_of(api: Api, seen: Sighting, tail: int) -> str:
    """Return the last lines that a server wrote; nothing when the cluster has none of them."""
    about = seen.metadata
    query = {"container": SERVER, "tailLines": str(tail)}
    if seen.restarted:
        query["previous"] = "true"
    try:
        return await api.text(f"{place_of('pods', about.namespace, about.name)}/log", query)
    except Refused:
        # Its container has not begun, or its machine is gone.
        return ""


async def memory_of(api: Api, namespace: str, name: str) -> int | None:
    """Return the bytes of memory that a pod uses, None where that is not measured."""
    path = place_of("pods", namespace, name).replace("/api/v1/", "/apis/metrics.k8s.io/v1beta1/", 1)
    try:
        found = await api.find(path)
    except Refused:
        return None
    sizes = [bytes_of(str(each["usage"]["memory"])) for each in (found or {}).get("containers") or ()]
    return sum(sizes) if sizes else None


def bytes_of(quantity: str) -> int:
    """Return a quantity of Kubernetes' in bytes; raises ValueError for what is none."""
    for suffix, size in _SUFFIXES.items():
        if quantity.endswith(suffix):
            return int(float(quantity.removesuffix(suffix)) * size)
    return int(float(quantity))


def _when(event: Json) -> str:
    return str(
        event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
    )


def _message(event: Json) -> str:
    said, reason = str(event.get("message") or ""), str(event.get("reason") or "")
    words = _IN_WORDS.get(reason, "")
    return f"{words}: {said}" if words else said or reason
