from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from carrel.lib.control_groups import version2
from carrel.lib.control_groups.files import Reading
from carrel.lib.control_groups.group import UNIFIED, Group
from carrel.lib.control_groups.limits import CannotLimit, Limits
from carrel.lib.control_groups.machine import Machine, lacking, prepare
from tests.lib.control_groups import rig

ALL = Limits(memory=2**30, memory_guarantee=2**20, cpu=1.5, cpu_guarantee=0.5, pids=100)


def test_version_1_gets_what_its_files_are_called(tmp_path: Path) -> None:
    machine = rig.version1(tmp_path, "memory", "cpu", "pids", "cpuacct")
    assert lacking(machine, ALL) == {}
    group = prepare(machine, "server-7", ALL)
    below = {name: str(place.relative_to(tmp_path)) for name, place in group.places.items()}
    assert below == {name: f"{name}/hub/carrel/server-7" for name in ("memory", "cpu", "pids", "cpuacct")}
    contents = {name: text for place in group.places.values() for name, text in rig.written(place).items()}
    assert contents == {
        "memory.limit_in_bytes": "1073741824",
        "memory.soft_limit_in_bytes": "1048576",
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "150000",
        "cpu.shares": "512",
        "pids.max": "100",
    }
    group.join(4321)
    assert {door.read_text() for door in group.doors()} == {"4321\n"}


def test_swap_is_limited_with_memory_where_it_is_counted(tmp_path: Path) -> None:
    machine = rig.version1(tmp_path / "1", "memory")
    ready = tmp_path / "1/memory/hub/carrel/server-7"
    ready.mkdir(parents=True)
    for name in ("memory.memsw.limit_in_bytes", "memory.swappiness"):
        (ready / name).touch()
    prepare(machine, "server-7", Limits(memory=2**30))
    assert (ready / "memory.memsw.limit_in_bytes").read_text() == str(2**30)
    assert (ready / "memory.swappiness").read_text() == "0"
    machine = rig.version2(tmp_path / "2")
    ready = rig.group(tmp_path / "2/carrel/server-7", memory_swap="")
    (ready / "memory.swap.max").touch()
    prepare(machine, "server-7", Limits(memory=2**30))
    assert (ready / "memory.swap.max").read_text() == "0"


def test_version_2_gets_controllers_handed_down_and_its_own_files(tmp_path: Path) -> None:
    machine = rig.version2(tmp_path)
    rig.group(tmp_path / "carrel")
    group = prepare(machine, "server-7", ALL)
    assert group.places == {UNIFIED: tmp_path / "carrel/server-7"}
    for directory in (tmp_path, tmp_path / "carrel"):
        assert (directory / "cgroup.subtree_control").read_text() == "+memory +cpu +pids"
    assert rig.written(tmp_path / "carrel/server-7") == {
        "memory.max": "1073741824",
        "memory.low": "1048576",
        "cpu.max": "150000 100000",
        "cpu.weight": "50",
        "pids.max": "100",
    }
    # What a group's parent does not have, it does not have either.
    assert (tmp_path / "carrel/memory.low").read_text() == "max"


def test_groups_of_earlier_runs_go(tmp_path: Path) -> None:
    machine = rig.version1(tmp_path, "pids")
    parent = tmp_path / "pids/hub/carrel"
    for name in ("hub-7-2", "hub-7-9", "hub-7-10", "hub-7-x", "hub-77-2"):
        (parent / name).mkdir(parents=True)
    prepare(machine, "hub-7-9", Limits(pids=5))
    assert {place.name for place in parent.iterdir()} == {"hub-7-9", "hub-7-10", "hub-7-x", "hub-77-2"}
    assert rig.written(parent / "hub-7-9") == {"pids.max": "5"}


def test_only_what_is_limited_is_written(tmp_path: Path) -> None:
    rig.group(tmp_path / "carrel")
    group = prepare(rig.version2(tmp_path), "server-7", Limits(pids=5))
    assert rig.written(group.places[UNIFIED]) == {"pids.max": "5"}
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids"


def test_a_controller_of_version_1_is_used_where_it_is_though_version_2_is_there_too(tmp_path: Path) -> None:
    old, new = rig.version1(tmp_path / "1", "memory"), rig.version2(tmp_path / "2", "pids hugetlb")
    rig.group(tmp_path / "2/carrel", "pids")
    machine = Machine((*new.hierarchies, *old.hierarchies), systemd=False, root=True)
    group = prepare(machine, "server-7", Limits(memory=2**20, pids=3))
    assert rig.written(group.places["memory"]) == {"memory.limit_in_bytes": str(2**20)}
    assert rig.written(group.places[UNIFIED]) == {"pids.max": "3"}
    assert lacking(machine, Limits(cpu=1)) == {
        "cpu": "this machine has no control groups with the cpu controller"
    }


def busy(directory: Path) -> Callable[[Path, str], int]:
    """Make a group refuse to hand controllers down as long as it holds processes, as the kernel does."""
    write = Path.write_text

    def write_text(path: Path, text: str, *rest: object) -> int:
        if path == directory / "cgroup.subtree_control" and (directory / "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "Device or resource busy", str(path))
        if path == directory / "carrel.hub" / "cgroup.procs":
            left = (directory / "cgroup.procs").read_text().split()
            left.remove(text)
            write(directory / "cgroup.procs", "\n".join(left))
        return write(path, text)

    return write_text


def test_who_is_in_a_group_that_hands_controllers_down_moves_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container the group at the mount point is not the root: it may not hold processes then."""
    machine = rig.version2(tmp_path)
    (tmp_path / "cgroup.procs").write_text("1\n77\n")
    rig.group(tmp_path / "carrel")
    monkeypatch.setattr(Path, "write_text", busy(tmp_path))
    assert prepare(machine, "server-7", Limits(pids=5)).places == {UNIFIED: tmp_path / "carrel/server-7"}
    assert (tmp_path / "cgroup.procs").read_text() == ""
    assert (tmp_path / "carrel.hub/cgroup.procs").read_text() == "77"
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids"


def test_a_group_that_was_delegated_is_used_where_the_root_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = rig.version2(tmp_path, own="/system.slice/hub.service")
    rig.group(tmp_path / "system.slice/hub.service/carrel")
    monkeypatch.setattr(version2, "hand_down", refusing(tmp_path))
    group = prepare(machine, "server-7", Limits(pids=5))
    assert group.places == {UNIFIED: tmp_path / "system.slice/hub.service/carrel/server-7"}


def refusing(place: Path) -> Callable[..., None]:
    hand_down = version2.hand_down

    def refuse(directory: Path, wanted: list[str], *, own: bool) -> None:
        if directory == place:
            raise PermissionError(errno.EACCES, "Permission denied", str(directory))
        hand_down(directory, wanted, own=own)

    return refuse


def test_a_guarantee_that_the_groups_around_do_not_have_is_refused(tmp_path: Path) -> None:
    machine = rig.version2(tmp_path, controllers="", own="/service")
    rig.group(tmp_path / "service", memory_low="4096\n")
    rig.group(tmp_path / "service/carrel")
    with pytest.raises(CannotLimit, match="guaranteed 4096 bytes") as caught:
        prepare(machine, "server-7", Limits(memory_guarantee=8192))
    assert caught.value.limit == "memory_guarantee"
    assert prepare(machine, "server-7", Limits(memory_guarantee=4096)).places


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert set(lacking(Machine((), systemd=False, root=True), ALL)) == set(Limits.__dataclass_fields__)
    machine = rig.version1(tmp_path, "memory", "cpu")
    (tmp_path / "memory/hub/memory.soft_limit_in_bytes").unlink()
    (tmp_path / "cpu/hub/cpu.cfs_quota_us").unlink()
    reasons = lacking(machine, Limits(memory_guarantee=1, cpu=1))
    assert reasons == {
        "memory_guarantee": "the kernel does not have memory.soft_limit_in_bytes",
        "cpu": "the kernel does not have cpu.cfs_quota_us",
    }


def test_a_limit_that_the_kernel_does_not_take_is_named_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = rig.version1(tmp_path, "memory", "pids")

    def refuse(path: Path, text: str) -> int:
        raise OSError(errno.EINVAL, "Invalid argument", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(CannotLimit, match=r"pids\.max does not take 5: Invalid argument") as caught:
        prepare(machine, "server-7", Limits(pids=5))
    assert caught.value.limit == "pids"
    assert not (tmp_path / "memory/hub/carrel/server-7").exists()


def test_what_a_group_has_used_is_read(tmp_path: Path) -> None:
    place = rig.group(
        tmp_path / "2",
        memory_current="5000\n",
        memory_stat="anon 3000\ninactive_file 1000\n",
        memory_events="low 0\nhigh 0\nmax 7\noom 2\noom_kill 3\n",
        cpu_stat="usage_usec 2500000\nuser_usec 1\n",
        pids_current="4\n",
        pids_events="max 9\n",
        memory_max="8192\n",
        cpu_max="50000 100000\n",
        pids_max="max\n",
    )
    group = Group({UNIFIED: place})
    assert group.read() == Reading(4000, 2.5, 4, killed=3, at_limit=True, refused=9)
    assert group.in_force() == Limits(memory=8192, cpu=0.5)
    assert Group({UNIFIED: tmp_path / "gone"}).read() == Reading()
    old = rig.group(
        tmp_path / "1",
        memory_usage_in_bytes="5000\n",
        memory_stat="total_inactive_file 1000\n",
        memory_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        memory_limit_in_bytes="8192\n",
        memory_max_usage_in_bytes="8192\n",
        cpuacct_usage="2500000000\n",
        cpu_cfs_quota_us="-1\n",
        cpu_cfs_period_us="100000\n",
        pids_current="4\n",
        pids_events="max 0\n",
        pids_max="6\n",
    )
    group = Group(dict.fromkeys(("memory", "cpu", "cpuacct", "pids"), old))
    assert group.read() == Reading(4000, 2.5, 4, killed=1, at_limit=True, refused=0)
    assert group.in_force() == Limits(memory=8192, pids=6)
    (old / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert group.in_force().memory is None


def test_a_group_is_kept_as_json() -> None:
    group = Group({"memory": Path("/sys/fs/cgroup/memory/x"), "pids": Path("/sys/fs/cgroup/pids/x")})
    assert Group.of_state(group.as_state()) == group
    assert Group.of_state({}) is Group.of_state(None) is Group.of_state("x") is None
