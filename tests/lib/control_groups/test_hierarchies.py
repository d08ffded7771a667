from __future__ import annotations

from pathlib import Path

import pytest

from carrel.lib.control_groups.hierarchies import Hierarchy, find_hierarchies

MIXED = """\
31 23 0:28 / {place} rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / {place}/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
40 31 0:37 / {place}/systemd rw,relatime shared:1 - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / {place}/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:38 / {place}/elsewhere rw,relatime - cgroup2 cgroup2 rw
"""


def machine(place: Path, groups: str, mounts: str) -> tuple[Hierarchy, ...]:
    (place / "proc/self").mkdir(parents=True)
    (place / "proc/7").mkdir()
    (place / "proc/self/mountinfo").write_text(mounts.format(place=place))
    (place / "proc/7/cgroup").write_text(groups)
    return find_hierarchies(7, place / "proc")


def test_each_hierarchy_is_found_once_with_the_group_of_the_process(tmp_path: Path) -> None:
    found = machine(tmp_path, "4:cpu,cpuacct:/a\n3:name=systemd:/b\n2:pids:/c\n0::/d\n", MIXED)
    assert [(each.version, set(each.names), each.mount.name, each.own) for each in found] == [
        (1, {"cpu", "cpuacct"}, "cpu,cpuacct", "/a"),
        (1, {"name=systemd"}, "systemd", "/b"),
        (2, set(), "unified", "/d"),
    ]
    assert [each.tracks for each in found] == [False, True, True]


def test_no_process_is_in_no_hierarchy(tmp_path: Path) -> None:
    machine(tmp_path, "0::/\n", MIXED)
    assert find_hierarchies(8, tmp_path / "proc") == ()


@pytest.mark.parametrize(
    ("root", "own", "below"),
    [
        ("/", "/", "."),
        ("/", "/service/hub", "service/hub"),
        # In a container: with the names of the machine, with its own, and where it may not look.
        ("/docker/1", "/docker/1/hub", "hub"),
        ("/docker/1", "/hub", "hub"),
        ("/", "/../elsewhere", None),
        ("/", "/gone", None),
    ],
)
def test_the_own_group_is_found_where_it_is_seen(
    tmp_path: Path, root: str, own: str, below: str | None
) -> None:
    for name in ("service/hub", "hub", "elsewhere"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    hierarchy = Hierarchy(2, frozenset(), tmp_path / "tree", root, own)
    assert hierarchy.own_directory == (None if below is None else tmp_path / "tree" / below)
