"""The table of routes: a trie of path segments, changed or replaced as a whole between two requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from carrel.dataplane.paths import (
    BadPathError,
    Segments,
    escaped,
    is_plain,
    other_readings,
    parse_spec,
    shown,
    split,
)
from carrel.dataplane.targets import BadTargetError, Target, parse_target, with_alternatives
from carrel.dataplane.writers import Writers
from carrel.lib.clock import Clock, Timestamp

RouteData = Mapping[str, object]


class Change(msgspec.Struct, frozen=True):
    """What became of the table: what was put into it and what was removed, by URL-escaped specification.

    `number` is one more than that of the change before. With `whole`, nothing but `put` is in the table now.
    """

    number: int
    put: Mapping[str, RouteData]
    removed: tuple[str, ...] = ()
    whole: bool = False


class Route:
    """One entry of the table; open connections hold on to it while its target changes."""

    __slots__ = ("data", "escaped", "last_activity", "segments", "target")

    def __init__(self, segments: Segments, target: Target, data: RouteData, last_activity: Timestamp) -> None:
        self.segments = segments
        #: The specification as calls and files have it.
        self.escaped = escaped(segments)
        self.target = target
        self.data = data
        self.last_activity = last_activity

    @property
    def spec(self) -> str:
        """Return the decoded form under which the API names it."""
        return shown(self.segments)

    @property
    def leads_to_hub(self) -> bool:
        """Tell whether what stands behind is the hub: the route of everything else, or one marked so."""
        return not self.segments or self.data.get("hub") is True


class _Node(dict[bytes, "_Node"]):
    __slots__ = ("route",)

    def __init__(self) -> None:
        super().__init__()
        self.route: Route | None = None


def forwarded(change: Change) -> Change:
    """Return a change with only what forwarding looks at in the routes' data."""
    return msgspec.structs.replace(change, put={spec: _slim(data) for spec, data in change.put.items()})


def _slim(data: RouteData) -> RouteData:
    slim: dict[str, object] = {name: data[name] for name in ("target", "alternatives") if name in data}
    if data.get("hub") is True:
        slim["hub"] = True
    if isinstance(data.get("servers"), str):
        slim["servers"] = data["servers"]
    return slim


def read_target(data: RouteData) -> Target:
    """Return the target in a route's data; raise BadTargetError when there is none that is usable.

    `"alternatives": [URL, ...]` says where else the same is served.
    """
    url = data.get("target")
    if not isinstance(url, str):
        raise BadTargetError("a route needs a 'target', the URL of a server as a string")
    target = parse_target(url)
    return with_alternatives(target, data["alternatives"]) if "alternatives" in data else target


class RouteTable:
    """Routes by segments. Every change is complete before the next request looks."""

    def __init__(self, clock: Clock, default: Target | None = None, *, prepend_path: bool = True) -> None:
        self._clock = clock
        self._prepend_path = prepend_path
        self._default = default
        self._routes: dict[Segments, Route] = {}
        self._root = _Node()
        self._listeners: list[Callable[[Change], None]] = []
        #: Of the last change; 0 before the first.
        self.number = 0
        #: Whose changes are in it.
        self.writers = Writers()
        if default is not None:
            self._put((), default, {"target": default.url})

    def __len__(self) -> int:
        return len(self._routes)

    def whole(self) -> Change:
        """Return a change that makes any table equal to this one."""
        return Change(self.number, {route.escaped: route.data for route in self.all()}, whole=True)

    def on_change(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` with every change of the table (not of an activity time) before anybody sees it."""
        self._listeners.append(listener)

    def follow(self, change: Change) -> None:
        """Do what another table has done, and have its number then.

        Raises ValueError when a change is missing in between, or when it cannot be done. Some of it may be
        done then; a change of the whole table puts that right.
        """
        if change.whole:
            self.replace(change.put)
        elif change.number != self.number + 1:
            raise ValueError(f"change {change.number} does not follow {self.number}")
        else:
            for spec, data in change.put.items():
                self.add(spec, data)
            for spec in change.removed:
                self.remove(spec)
        self.number = change.number

    def find(self, path: bytes, host: bytes | None = None) -> Route | None:
        """Return the route with the longest prefix of the path's segments.

        A given host is the first segment. Raises BadPathError, also when a server could read the path as one
        of another route.
        """
        first = [] if host is None else [host]
        if not first and is_plain(path):
            return self._longest_plain(path)
        best = self._longest(first + split(path))
        if b"%" in path or b"//" in path:
            for segments in other_readings(path):
                self._agree(best, first + segments)
        return best

    def _longest_plain(self, path: bytes) -> Route | None:
        """Cut off no more segments than the table has: nearly every request comes this way."""
        node = self._root
        best = node.route
        start = 1
        while node and start:
            end = path.find(b"/", start)
            child = node.get(path[start:] if end < 0 else path[start:end])
            if child is None:
                break
            node = child
            if node.route is not None:
                best = node.route
            start = end + 1
        return best

    def _longest(self, segments: list[bytes]) -> Route | None:
        node = self._root
        best = node.route
        for segment in segments:
            child = node.get(segment)
            if child is None:
                break
            node = child
            if node.route is not None:
                best = node.route
        return best

    def _agree(self, best: Route | None, segments: list[bytes]) -> None:
        """Raise BadPathError when another reading of a path leads to another route than `best`."""
        other = self._longest(segments)
        if other is best:
            return
        if best is not None:
            # A route may have a slash in a segment of its own; it is read as the server behind it reads it.
            plain = [piece for segment in best.segments for piece in segment.split(b"/")]
            depth = 0 if other is None else len(other.segments)
            if len(plain) > max(depth, len(best.segments)) and segments[: len(plain)] == plain:
                return
        raise BadPathError("the path could mean that of another server")

    def get(self, spec: str) -> Route | None:
        """Return the route of exactly this specification."""
        return self._routes.get(parse_spec(spec))

    def all(self) -> list[Route]:
        """Return every route."""
        return list(self._routes.values())

    def take_activity(self) -> dict[str, Timestamp]:
        """Return when each route was used that was since the last call, and set these times back to 0."""
        taken = {}
        for route in self._routes.values():
            if route.last_activity:
                taken[route.escaped] = route.last_activity
                route.last_activity = 0.0
        return taken

    def note_activity(self, times: Mapping[str, Timestamp]) -> None:
        """Note when routes were used, as another table has it; one that is gone by now is left out."""
        for spec, moment in times.items():
            route = self.get(spec)
            if route is not None and route.last_activity < moment:
                route.last_activity = moment

    def add(self, spec: str, data: RouteData) -> None:
        """Add a route, or give one a new target and data; its activity is now. Raises ValueError."""
        segments, target = parse_spec(spec), read_target(data)
        self._put(segments, target, data)
        self._changed(put={escaped(segments): data})

    def remove(self, spec: str) -> bool:
        """Remove a route; return whether it was there."""
        segments = parse_spec(spec)
        if self._routes.pop(segments, None) is None:
            return False
        self._cut(segments)
        self._changed(removed=(escaped(segments),))
        return True

    def replace(self, routes: Mapping[str, RouteData]) -> None:
        """Make the table exactly this one, or change nothing and raise ValueError naming what is malformed.

        A route that keeps its target keeps its activity time. Without a root the default target stays. When
        the table is this one already, nothing is told.
        """
        wanted: dict[Segments, tuple[Target, RouteData]] = {}
        for spec, data in routes.items():
            try:
                segments = parse_spec(spec)
                wanted[segments] = (self._read_target(segments, data), data)
            except ValueError as error:
                raise ValueError(f"route {spec!r}: {error}") from None
        if self._default is not None:
            wanted.setdefault((), (self._sent(self._default), {"target": self._default.url}))
        if self._is(wanted):
            return
        self._swap(wanted)
        self._changed(put={route.escaped: route.data for route in self._routes.values()}, whole=True)

    def load(self, routes: Iterable[tuple[str, RouteData, Timestamp]]) -> None:
        """Add remembered routes with their activity times; a given default target is not overridden.

        Raises ValueError when one is malformed; none is added then.
        """
        remembered = [
            Route(parse_spec(spec), self._sent(read_target(data)), data, last_activity)
            for spec, data, last_activity in routes
        ]
        for route in remembered:
            if route.segments not in self._routes:
                self._hang(route)

    def _read_target(self, segments: Segments, data: RouteData) -> Target:
        """Return a target as it is to be used; one that is known need not be parsed again."""
        known = self._routes.get(segments)
        same = ("target", "alternatives")
        if known is not None and all(known.data.get(name) == data.get(name) for name in same):
            return known.target
        return self._sent(read_target(data))

    def _is(self, wanted: Mapping[Segments, tuple[Target, RouteData]]) -> bool:
        return wanted.keys() == self._routes.keys() and all(
            route.data == wanted[segments][1] for segments, route in self._routes.items()
        )

    def _swap(self, wanted: Mapping[Segments, tuple[Target, RouteData]]) -> None:
        before, self._routes, self._root = self._routes, {}, _Node()
        for segments, (target, data) in wanted.items():
            route = before.get(segments)
            if route is None:
                route = Route(segments, target, data, self._clock.now())
            elif route.target.url != target.url:
                route.last_activity = self._clock.now()
            route.target, route.data = target, data
            self._hang(route)

    def _put(self, segments: Segments, target: Target, data: RouteData) -> None:
        target = self._sent(target)
        route = self._routes.get(segments)
        if route is None:
            self._hang(Route(segments, target, data, self._clock.now()))
        else:
            route.target, route.data, route.last_activity = target, data, self._clock.now()

    def _sent(self, target: Target) -> Target:
        return target if self._prepend_path else target.without_path()

    def _hang(self, route: Route) -> None:
        node = self._root
        for segment in route.segments:
            node = node.setdefault(segment, _Node())
        node.route = route
        self._routes[route.segments] = route

    def _cut(self, segments: Segments) -> None:
        trail = [self._root]
        for segment in segments:
            trail.append(trail[-1][segment])
        trail[-1].route = None
        for parent, segment, node in reversed(list(zip(trail, segments, trail[1:], strict=False))):
            if node or node.route is not None:
                break
            del parent[segment]

    def _changed(
        self,
        put: Mapping[str, RouteData] | None = None,
        removed: tuple[str, ...] = (),
        *,
        whole: bool = False,
    ) -> None:
        self.number += 1
        change = Change(self.number, put or {}, removed, whole)
        for listener in self._listeners:
            listener(change)
