from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from carrel.spawners.docker.host_options import HOST, size, translate
from carrel.spawners.docker.manifest import Limits, Plan, cards, container_body
from carrel.spawners.docker.swarm_manifest import Extras, service_body
from carrel.spawners.docker.volumes import Volume
from carrel.spawners.errors import StartError

PLAN: dict[str, Any] = {
    "name": "jupyter-ada",
    "image": "lab:1",
    "env": {"A": "1"},
    "labels": {"carrel.hub-id": "h"},
    "port": 8888,
}


def body_of(**changes: Any) -> dict[str, Any]:
    return container_body(Plan(**{**PLAN, **changes}))


def host_of(**changes: Any) -> dict[str, Any]:
    return dict(body_of(**changes)["HostConfig"])


def test_a_plain_container() -> None:
    assert body_of(network="bridge", publish="127.0.0.1") == {
        "Image": "lab:1",
        "Env": ["A=1"],
        "Labels": {"carrel.hub-id": "h"},
        "ExposedPorts": {"8888/tcp": {}},
        "HostConfig": {
            "NetworkMode": "bridge",
            "Binds": [],
            "PortBindings": {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]},
        },
    }
    # Without a command the image's own is meant, which an empty one would not be.
    assert body_of(command=[])["Cmd"] == []
    assert "PortBindings" not in host_of()


def test_limits() -> None:
    limits = Limits(memory=2**20, swap=0, memory_guarantee=2**19, cpus=1.5, cpu_guarantee=0.5, pids=9)
    assert {key: host_of(limits=limits)[key] for key in host_of(limits=limits) if key != "Binds"} == {
        "Memory": 2**20,
        "MemorySwap": 2**20,
        "MemoryReservation": 2**19,
        "CpuPeriod": 100_000,
        "CpuQuota": 150_000,
        "CpuShares": 512,
        "PidsLimit": 9,
    }
    # Docker's own rule: as much again.
    assert "MemorySwap" not in host_of(limits=Limits(memory=2**20))


@pytest.mark.parametrize(
    ("setting", "leased", "request_"),
    [
        (None, (), None),
        (0, (), None),
        (2, (), {"Count": 2}),
        ("all", (), {"Count": -1}),
        ("0,GPU-7", (), {"DeviceIDs": ["0", "GPU-7"]}),
        (["1"], (), {"DeviceIDs": ["1"]}),
        ("all", ("GPU-3",), {"DeviceIDs": ["GPU-3"]}),
        (None, ["1", "2"], {"DeviceIDs": ["1", "2"]}),
    ],
)
def test_graphics_cards(setting: Any, leased: Any, request_: Mapping[str, Any] | None) -> None:
    asked = host_of(gpus=cards(setting, leased)).get("DeviceRequests")
    if request_ is None:
        assert asked is None
    else:
        assert asked == [{"Driver": "", "Capabilities": [["gpu"]], "Options": {}, **request_}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"network_mode": "host", "init": True}, {"NetworkMode": "host", "Init": True}),
        ({"shm_size": "2g"}, {"ShmSize": 2 * 2**30}),
        ({"mem_limit": "512m", "memswap_limit": -1}, {"Memory": 512 * 2**20, "MemorySwap": -1}),
        ({"cap_add": ["SYS_ADMIN"], "cap_drop": ["ALL"]}, {"CapAdd": ["SYS_ADMIN"], "CapDrop": ["ALL"]}),
        ({"extra_hosts": {"hub": "10.0.0.1"}}, {"ExtraHosts": ["hub:10.0.0.1"]}),
        ({"tmpfs": {"/tmp": "size=1m"}}, {"Tmpfs": {"/tmp": "size=1m"}}),
        ({"tmpfs": ["/tmp:size=1m", "/x"]}, {"Tmpfs": {"/tmp": "size=1m", "/x": ""}}),
        (
            {"ulimits": [{"name": "nofile", "soft": 1, "hard": 2}]},
            {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": 2}]},
        ),
        ({"log_config": {"type": "none", "config": {}}}, {"LogConfig": {"Type": "none", "Config": {}}}),
        (
            {"port_bindings": {8888: ("127.0.0.1", 9), "53/udp": None}},
            {
                "PortBindings": {
                    "8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9"}],
                    "53/udp": [{"HostPort": ""}],
                }
            },
        ),
        (
            {"devices": ["/dev/fuse", "/dev/a:/dev/b:r"]},
            {
                "Devices": [
                    {"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"},
                    {"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "r"},
                ]
            },
        ),
        (
            {"device_requests": [{"count": -1, "capabilities": [["gpu"]]}]},
            {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]},
        ),
        (
            {"security_opt": "seccomp=unconfined", "group_add": [100]},
            {"SecurityOpt": ["seccomp=unconfined"], "GroupAdd": ["100"]},
        ),
        (
            {"runtime": "nvidia", "cpuset_cpus": "0,1", "read_only": True},
            {"Runtime": "nvidia", "CpusetCpus": "0,1", "ReadonlyRootfs": True},
        ),
        ({"ShmSize": 7}, {"ShmSize": 7}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_docker_pys_names_become_the_apis(given: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert translate("setting", given, HOST) == expected


def test_names_and_values_that_nobody_knows_are_named() -> None:
    with pytest.raises(StartError, match="extra_host_config has no 'shm'"):
        body_of(extra_host={"shm": 1})
    with pytest.raises(StartError, match=r"extra_create_kwargs\['volumes'\] cannot be 7"):
        body_of(extra_create={"volumes": 7})
    with pytest.raises(ValueError, match="no size"):
        size("much")
    assert size("3Gb") == 3 * 2**30


def test_what_is_added_wins_but_for_the_labels() -> None:
    body = body_of(
        user="1000:1000",
        command=["a"],
        volumes=[Volume("v", "/v")],
        mounts=[{"Target": "/m"}],
        extra_create={
            "user": "root",
            "command": "start.sh --debug",
            "environment": {"B": "2"},
            "labels": {"carrel.hub-id": "another", "course": "x"},
            "platform": "linux/amd64",
        },
        extra_host={"binds": {"/w": {"bind": "/w", "mode": "ro"}}, "mounts": [{"Target": "/n"}]},
    )
    assert (body["User"], body["Cmd"]) == ("root", ["start.sh", "--debug"])
    assert body["Env"] == ["A=1", "B=2"]
    assert body["Labels"] == {"carrel.hub-id": "h", "course": "x"}
    assert body["HostConfig"]["Binds"] == ["v:/v:rw", "/w:/w:ro"]
    assert [mount["Target"] for mount in body["HostConfig"]["Mounts"]] == ["/m", "/n"]


def test_a_service() -> None:
    plan = Plan(
        **PLAN,
        command=["start"],
        network="lab",
        volumes=[Volume("v", "/v")],
        limits=Limits(memory=2**20, cpus=0.5, cpu_guarantee=0.25, pids=5),
    )
    extras = Extras(
        container={"hostname": "desk", "env": {"B": "2"}},
        placement={"constraints": ["node.role == worker"]},
        resources={"mem_reservation": "1k"},
        endpoint={"ports": [{"TargetPort": 8888}]},
        volume_driver={"Name": "nfs"},
    )
    body = service_body(plan, extras, 3)
    task = body["TaskTemplate"]
    assert task["ContainerSpec"]["Args"] == ["start"]
    assert task["ContainerSpec"]["Env"] == ["A=1", "B=2"]
    assert task["ContainerSpec"]["Mounts"][0]["VolumeOptions"] == {"DriverConfig": {"Name": "nfs"}}
    assert task["ContainerSpec"]["StopGracePeriod"] == 3 * 10**9
    assert task["RestartPolicy"] == {"Condition": "none"}
    assert task["Placement"] == {"Constraints": ["node.role == worker"]}
    assert task["Resources"] == {
        "Limits": {"MemoryBytes": 2**20, "NanoCPUs": 5 * 10**8, "Pids": 5},
        "Reservations": {"MemoryBytes": 1024, "NanoCPUs": 25 * 10**7},
    }
    assert task["Networks"] == [{"Target": "lab"}]
    assert body["EndpointSpec"] == {"Ports": [{"TargetPort": 8888}]}
    with pytest.raises(StartError, match="extra_placement_spec has no 'constraint'"):
        service_body(plan, Extras(placement={"constraint": []}), 3)
