"""What a pod looks like in the cluster, and what that means for the server in it.

Source: "Pod Lifecycle" of the Kubernetes documentation; the reasons are the kubelet's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct, field

from carrel.spawners.kubernetes.api import Json

SERVER = "notebook"
"""The container with the server in it."""
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "CrashLoopBackOff"})
"""Why a container waits, where waiting longer does not help whoever waits for a server."""
_IMAGES = frozenset({"InvalidImageName", "ErrImageNeverPull", "ImagePullBackOff", "ErrImagePull"})
_UNKNOWN = 0


class Terminated(Struct, rename="camel"):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class Waiting(Struct):
    reason: str = ""
    message: str = ""


class State(Struct):
    waiting: Waiting | None = None
    terminated: Terminated | None = None


class Container(Struct, rename="camel"):
    name: str
    ready: bool = False
    restart_count: int = 0
    image: str = ""
    state: State = field(default_factory=State)
    last_state: State = field(default_factory=State)


class Condition(Struct):
    type: str
    status: str = ""
    reason: str = ""
    message: str = ""


class Status(Struct, rename="camel"):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = field(default="", name="podIP")
    conditions: list[Condition] | None = None
    container_statuses: list[Container] | None = None
    init_container_statuses: list[Container] | None = None


class Meta(Struct, rename="camel"):
    name: str
    uid: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    deletion_timestamp: str | None = None


class Image(Struct):
    name: str
    image: str = ""


class Spec(Struct):
    containers: list[Image] = field(default_factory=list)


class Sighting(Struct):
    """A pod as the API server has it."""

    metadata: Meta
    status: Status = field(default_factory=Status)
    spec: Spec = field(default_factory=Spec)

    @property
    def labels(self) -> dict[str, str]:
        """Return its labels."""
        return self.metadata.labels or {}

    @property
    def annotations(self) -> dict[str, str]:
        """Return its annotations."""
        return self.metadata.annotations or {}

    @property
    def deleting(self) -> bool:
        """Tell whether it is about to go."""
        return self.metadata.deletion_timestamp is not None

    @property
    def running(self) -> bool:
        """Tell whether the server in it can be asked."""
        containers = self.status.container_statuses or []
        ready = bool(containers) and all(each.ready for each in containers)
        return self.status.phase == "Running" and bool(self.status.pod_ip) and ready and not self.deleting

    @property
    def exit_status(self) -> int | None:
        """Return the server's exit status once it has ended for good, 0 when that is not known, else None."""
        server = self._server
        ended = server.state.terminated if server else None
        if self.status.phase in ("Failed", "Succeeded"):
            return ended.exit_code if ended else _UNKNOWN
        # Kubernetes may start it again, where a setting says so.
        return ended.exit_code if ended and self.status.phase != "Pending" else None

    @property
    def hopeless(self) -> str:
        """Return why it cannot begin, in one sentence; empty while it may."""
        for each in self._containers:
            waiting = each.state.waiting
            if waiting is None or waiting.reason not in _HOPELESS:
                continue
            if waiting.reason in _IMAGES:
                return f"The image {self._image_of(each)} cannot be had ({waiting.reason}): {waiting.message}"
            return f"The container {each.name} ends again and again ({waiting.reason}): {waiting.message}"
        return ""

    @property
    def restarted(self) -> bool:
        """Tell whether the server's last words are those of an earlier container."""
        server = self._server
        return server is not None and server.restart_count > 0 and server.state.waiting is not None

    @property
    def unscheduled(self) -> str:
        """Return why no machine has been found for it, in Kubernetes' words; empty when one has."""
        for condition in self.status.conditions or []:
            if condition.type == "PodScheduled" and condition.status == "False":
                return condition.message or condition.reason
        return ""

    def account(self) -> Iterator[str]:
        """Yield a line for each thing that explains why it is not running."""
        name, status = self.metadata.name, self.status
        if status.reason or status.message:
            yield f"Pod {name}: {status.reason}: {status.message}"
        for condition in status.conditions or []:
            if condition.type == "DisruptionTarget" and condition.status == "True":
                yield f"Pod {name}: DisruptionTarget: {condition.reason}: {condition.message}"
        if self.unscheduled:
            yield f"Pod {name}: FailedScheduling: {self.unscheduled}"
        for each in self._containers:
            yield from _account_of(each)

    @property
    def _server(self) -> Container | None:
        return next((each for each in self.status.container_statuses or [] if each.name == SERVER), None)

    @property
    def _containers(self) -> list[Container]:
        return [*(self.status.init_container_statuses or []), *(self.status.container_statuses or [])]

    def _image_of(self, container: Container) -> str:
        # Of an image that was never pulled the status may have no name.
        named = {each.name: each.image for each in self.spec.containers}
        return named.get(container.name) or container.image or "?"


def sight(body: Json) -> Sighting:
    """Return a pod of the API's as what is looked at here; raises ValueError for something else."""
    try:
        return msgspec.convert(_without_null(body), Sighting)
    except msgspec.ValidationError as error:
        raise ValueError(f"The API server's pod is none: {error}") from None


def _without_null(value: Any) -> Any:
    """Leave out what is null: in Kubernetes it says as much as nothing does."""
    if isinstance(value, dict):
        return {key: _without_null(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_null(each) for each in value]
    return value


def _account_of(container: Container) -> Iterator[str]:
    for state in (container.last_state, container.state):
        ended = state.terminated
        if ended is not None and (ended.exit_code or ended.reason not in ("", "Completed")):
            said = f": {ended.message}" if ended.message else ""
            yield f"Container {container.name} ended with status {ended.exit_code} ({ended.reason}){said}"
    waiting = container.state.waiting
    if waiting is not None and waiting.reason not in ("ContainerCreating", "PodInitializing", ""):
        yield f"Container {container.name} waits: {waiting.reason}: {waiting.message}"
