from __future__ import annotations

from typing import Any

import pytest

from carrel.spawners.kubernetes.sighting import Sighting, sight


def pod(phase: str = "Running", state: dict[str, Any] | None = None, **status: Any) -> Sighting:
    container = {"name": "notebook", "ready": True, "restartCount": 0, "state": state or {"running": {}}}
    facts = {"phase": phase, "podIP": "10.0.0.1", "containerStatuses": [container], **status}
    spec = {"containers": [{"name": "notebook", "image": "lab:1"}]}
    return sight(
        {"metadata": {"name": "jupyter-ada", "uid": "u", "labels": None}, "status": facts, "spec": spec}
    )


def terminated(code: int, reason: str = "Error") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": None}}


def test_a_running_pod_lives() -> None:
    seen = pod()
    assert seen.running
    assert seen.exit_status is None
    assert seen.labels == {}
    assert list(seen.account()) == []


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        (pod("Failed", terminated(3)), 3),
        (pod("Succeeded", terminated(0, "Completed")), 0),
        # Its sidecars still run.
        (pod("Running", terminated(137, "OOMKilled")), 137),
        # Evicted before it began.
        (pod("Failed", containerStatuses=None), 0),
        (pod("Pending", {"waiting": {"reason": "ContainerCreating"}}), None),
        # The machine does not answer: nobody knows.
        (pod("Unknown"), None),
    ],
)
def test_when_a_pod_has_ended(seen: Sighting, status: int | None) -> None:
    assert seen.exit_status == status


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_had_is_named(reason: str) -> None:
    seen = pod("Pending", {"waiting": {"reason": reason, "message": "no"}})
    assert seen.hopeless == f"The image lab:1 cannot be had ({reason}): no"


@pytest.mark.parametrize("reason", ["ContainerCreating", "ErrImagePull", "CreateContainerConfigError", ""])
def test_what_may_pass_is_waited_for(reason: str) -> None:
    assert pod("Pending", {"waiting": {"reason": reason, "message": "no"}}).hopeless == ""


def test_a_container_that_ends_again_and_again_is_named() -> None:
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off"}
    first = {"name": "prepare", "state": {"waiting": waiting}, "lastState": terminated(2)}
    seen = pod("Pending", {"waiting": {"reason": "PodInitializing"}}, initContainerStatuses=[first])
    assert seen.hopeless.startswith("The container prepare ends again and again (CrashLoopBackOff)")
    assert "Container prepare ended with status 2 (Error)" in list(seen.account())


def test_the_account_says_what_happened() -> None:
    evicted = pod(
        "Failed", terminated(137), reason="Evicted", message="The node was low on resource: memory."
    )
    assert list(evicted.account()) == [
        "Pod jupyter-ada: Evicted: The node was low on resource: memory.",
        "Container notebook ended with status 137 (Error)",
    ]
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    assert "DisruptionTarget: PreemptionByScheduler" in next(pod(conditions=[condition]).account())
    waits = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    assert pod("Pending", conditions=[waits]).unscheduled == "0/3 nodes are available"


def test_what_is_no_pod_is_refused() -> None:
    with pytest.raises(ValueError, match="pod is none"):
        sight({"metadata": {"name": 7}})
