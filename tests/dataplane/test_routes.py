from __future__ import annotations

import pytest

from carrel.dataplane.paths import BadPathError, escaped, parse_spec, shown, split
from carrel.dataplane.routes import Change, Route, RouteTable
from carrel.dataplane.targets import BadTargetError, parse_target
from carrel.lib.clock import SystemClock

HUB = {"target": "http://127.0.0.1:81"}
SERVER = {"target": "http://127.0.0.1:82"}


class Ticks(SystemClock):
    """A clock that counts."""

    def __init__(self) -> None:
        self.value = 0.0

    def now(self) -> float:
        self.value += 1
        return self.value


@pytest.fixture
def table() -> RouteTable:
    table = RouteTable(Ticks())
    for spec in ("/", "/user/al", "/user/al/lab", "/user/a%2Fb/", "/user/j%C3%B6rg", "/user/x%40y/"):
        table.add(spec, SERVER)
    return table


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        ("/", "/"),
        ("/user", "/"),
        ("/user/al", "/user/al"),
        ("/user/al/", "/user/al"),
        ("/user/al/tree", "/user/al"),
        ("/user/al/lab/x", "/user/al/lab"),
        ("/user/al/laboratory", "/user/al"),
        ("/user/alice", "/"),
        ("/user/AL/", "/"),
        ("/user/%61l/", "/user/al"),
        ("/user/a%2Fb/c", "/user/a%2Fb"),
        ("/user/a/b/c", "/"),
        ("/user/a%2Fb%2Fc", "/"),
        ("/user/al/lab//x", "/user/al/lab"),
        ("/user/al/x%2F%2Flab", "/user/al"),
        ("//user", "/"),
        ("/hub%2fuser/al", "/"),
        ("/user/j%C3%B6rg/", "/user/jörg"),
        ("/user/x%40y/", "/user/x@y"),
        ("/user/x@y/", "/user/x@y"),
        ("/user/al;v=1/", "/"),
        ("/user/%2561l/", "/"),
        ("/user/al/...", "/user/al"),
        ("/user/al/.git/x", "/user/al"),
    ],
)
def test_the_longest_prefix_of_segments_wins(table: RouteTable, path: str, spec: str) -> None:
    route = table.find(path.encode())
    assert route is not None
    assert route.spec == spec


@pytest.mark.parametrize(
    "path",
    [
        "/user%2Fal/",
        "/user%2fal",
        "/user/al%2F",
        "/user/al%2Flab",
        "/user/al/lab%2Fx",
        "//user/al/",
        "/%2Fuser/al/",
        "/user//al/",
        "/user/%2Fal/",
        "/user/al//lab/",
    ],
)
def test_what_another_reading_leads_elsewhere_is_refused(table: RouteTable, path: str) -> None:
    for _ in range(2):
        with pytest.raises(BadPathError, match="another server"):
            table.find(path.encode())


def test_a_slash_in_a_route_of_its_own_is_no_other_route_until_there_is_one(table: RouteTable) -> None:
    own = table.get("/user/a%2Fb")
    assert table.find(b"/user/a%2Fb/c") is own
    table.add("/user/a", SERVER)
    assert table.find(b"/user/a%2Fb/c") is own
    table.add("/user/a/b", SERVER)
    with pytest.raises(BadPathError):
        table.find(b"/user/a%2Fb/c")


def test_without_a_root_nothing_is_found() -> None:
    table = RouteTable(Ticks())
    table.add("/user/al", SERVER)
    assert table.find(b"/user/other") is None


def test_removing_leaves_the_neighbours(table: RouteTable) -> None:
    assert table.remove("/user/al/lab/")
    assert not table.remove("/user/al/lab")
    found = table.find(b"/user/al/lab/x")
    assert found is not None
    assert found.spec == "/user/al"
    assert table.remove("/user/al")
    found = table.find(b"/user/al/lab/x")
    assert found is not None
    assert found.spec == "/"


def test_removing_a_route_above_leaves_the_ones_below(table: RouteTable) -> None:
    assert table.remove("/user/al")
    found = table.find(b"/user/al/lab")
    assert found is not None
    assert found.spec == "/user/al/lab"


def test_a_snapshot_replaces_everything_and_keeps_the_activity_of_what_stays(table: RouteTable) -> None:
    kept, moved = table.get("/user/al"), table.get("/")
    assert kept is not None
    assert moved is not None
    before, moved_before = kept.last_activity, moved.last_activity
    table.replace({"/user/al/": {**SERVER, "user": "al"}, "/": HUB, "/new": SERVER})
    assert sorted(route.spec for route in table.all()) == ["/", "/new", "/user/al"]
    assert table.get("/user/al") is kept
    assert (kept.last_activity, kept.data["user"]) == (before, "al")
    assert moved.target.url == HUB["target"]
    assert moved.last_activity > moved_before
    found = table.find(b"/user/al/lab")
    assert found is kept


def test_a_malformed_snapshot_changes_nothing(table: RouteTable) -> None:
    before = table.all()
    with pytest.raises(ValueError, match="/bad"):
        table.replace({"/ok": SERVER, "/bad": {}})
    assert table.all() == before


def test_what_was_found_before_is_found_anew_after_each_change(table: RouteTable) -> None:
    def found() -> str | None:
        route = table.find(b"/user/al/lab/tree")
        return route.spec if route is not None else None

    assert [found(), found()] == ["/user/al/lab"] * 2
    table.add("/user/al/lab/tree", HUB)
    assert [found(), found()] == ["/user/al/lab/tree"] * 2
    table.remove("/user/al/lab/tree")
    assert found() == "/user/al/lab"
    table.replace({"/user": HUB})
    assert found() == "/user"
    table.replace({})
    assert found() is None


def test_changes_are_told_and_numbered(table: RouteTable) -> None:
    told: list[Change] = []
    table.on_change(told.append)
    before = table.number
    table.add("/user/x@y/", HUB)
    assert not table.remove("/nobody")
    table.remove("/user/a%2Fb")
    table.replace({"/": HUB})
    assert told == [
        Change(before + 1, {"/user/x@y": HUB}),
        Change(before + 2, {}, ("/user/a%2Fb",)),
        Change(before + 3, {"/": HUB}, whole=True),
    ]


def test_a_snapshot_of_what_is_there_tells_nothing(table: RouteTable) -> None:
    told: list[Change] = []
    table.on_change(told.append)
    same = {route.escaped: dict(route.data) for route in table.all()}
    table.replace(same)
    assert told == []
    table.replace({**same, "/user/al": {**SERVER, "user": "al"}})
    assert [change.put["/user/al"] for change in told] == [{**SERVER, "user": "al"}]


def test_of_remembered_routes_all_are_added_or_none() -> None:
    table = RouteTable(Ticks())
    with pytest.raises(BadTargetError):
        table.load([("/good", SERVER, 1.0), ("/bad", {"target": "ftp://h"}, 2.0)])
    assert table.all() == []


def test_a_default_target_survives_a_snapshot_without_a_root() -> None:
    table = RouteTable(Ticks(), parse_target("http://127.0.0.1:80"))
    table.replace({"/user/al": SERVER})
    found = table.find(b"/x")
    assert found is not None
    assert found.leads_to_hub
    assert len(table) == 2


def test_adding_again_gives_a_new_target_and_the_same_route(table: RouteTable) -> None:
    before = table.get("/user/al")
    assert before is not None
    earlier = before.last_activity
    table.add("/user/al", HUB)
    assert table.get("/user/al") is before
    assert before.target.url == HUB["target"]
    assert before.last_activity > earlier


@pytest.mark.parametrize("spec", ["/", "/a", "/a%2Fb/c", "/j%C3%B6rg/x@y", "/a%25b", "/a b;c=d"])
def test_a_specification_survives_escaping(spec: str) -> None:
    segments = parse_spec(spec)
    assert parse_spec(escaped(segments)) == segments
    assert parse_spec(Route(segments, parse_target("http://h"), SERVER, 0.0).escaped) == segments


def test_what_the_api_shows_is_decoded_except_for_slashes() -> None:
    assert shown(parse_spec("/a%2Fb/j%C3%B6rg/x%40/")) == "/a%2Fb/jörg/x@"


@pytest.mark.parametrize(
    "path", [b"/..", b"/a/%2e%2e", b"/a%2F..%2Fb", b"/a/..%5cb", b"/a/..;x/b", b"/.", b"/a/%2E"]
)
def test_steps_upwards_are_refused(path: bytes) -> None:
    with pytest.raises(BadPathError):
        split(path)


@pytest.mark.parametrize("spec", ["/a?b", "/a#b", "/a/../b"])
def test_malformed_specifications_are_refused(spec: str) -> None:
    with pytest.raises(BadPathError):
        parse_spec(spec)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "127.0.0.1:80",
        "ftp://h:1",
        "http+unix://run",
        "http+unix://%2Frun%00",
        "unix:/run/s",
        "http://",
        "http://h:x",
        "http://h:1?q",
        "http://u@h:1",
    ],
)
def test_malformed_targets_are_refused(url: str) -> None:
    with pytest.raises(BadTargetError):
        parse_target(url)


def test_a_target_has_address_and_prefix() -> None:
    target = parse_target("http://[::1]:8888/base/")
    assert (target.address[:2], target.prefix, target.authority) == (("::1", 8888), b"/base", b"[::1]:8888")
    assert parse_target("http://h").address[:2] == ("h", 80)


def test_a_target_may_be_a_unix_socket() -> None:
    target = parse_target("http+unix://%2FRun%2fa%20b.sock/base")
    assert (target.address.path, target.prefix, target.authority) == ("/Run/a b.sock", b"/base", b"localhost")


def test_a_target_may_speak_tls() -> None:
    assert parse_target("https://h").address == ("h", 443, True, "")
    assert parse_target("https://h:1").address != parse_target("http://h:1").address


def test_a_host_is_one_segment_of_its_own() -> None:
    table = RouteTable(SystemClock())
    table.add("/user.example/lab", {"target": "http://h:1"})
    assert table.find(b"/lab/x", b"user.example") is not None
    assert table.find(b"/x", b"user.example/lab") is None
    assert table.find(b"/user.example/lab", b"other") is None


def test_targets_lose_their_path_when_told_so() -> None:
    table = RouteTable(SystemClock(), parse_target("http://h:1/a"), prepend_path=False)
    table.add("/u", {"target": "http://h:2/b"})
    assert [route.target.prefix for route in table.all()] == [b"", b""]
    assert [route.target.url for route in table.all()] == ["http://h:1/a", "http://h:2/b"]
