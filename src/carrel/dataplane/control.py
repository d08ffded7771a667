"""The REST API: configurable-http-proxy's calls, and Carrel's own for snapshots, status and shutdown.

| call | answer |
|---|---|
| GET /api/routes[?inactiveSince=ISO] | 200, every route by its decoded path |
| PUT /api/routes {"routes": {spec: data}} | 204, the table is exactly this now; 400 and nothing has changed |
| GET, POST, DELETE /api/routes/SPEC | 200 or 404, 201 or 400, 204 or 404 |
| GET /api/status | 200 |
| POST /api/shutdown | 202, then a graceful stop, in which changes of routes are answered with 503 |

A specification is URL-escaped, in a path and in a snapshot. PUT, POST and DELETE may be numbered by a header
`Carrel-Change` (see `writers`): 412 says that the number is not the expected one, and nothing has changed.
Others are answered with `Carrel-Table`, the number that GET /api/status tells as long as the table stays so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import msgspec

from carrel.dataplane.control_server import Call
from carrel.dataplane.load import Load
from carrel.dataplane.metrics import Metrics
from carrel.dataplane.replies import Reply
from carrel.dataplane.routes import Route, RouteTable
from carrel.dataplane.writers import OutOfStepError, parse_mark
from carrel.lib.clock import Timestamp, parse_iso
from carrel.lib.ids import same

_ROUTES = "/api/routes"


class Snapshot(msgspec.Struct, frozen=True):
    """The body of a PUT: the whole table."""

    routes: dict[str, dict[str, object]]


class Status(msgspec.Struct, frozen=True):
    """What the process says about itself."""

    version: str
    pid: int
    public: str
    routes: int
    load: Load = Load()
    #: The processes that forward.
    workers: tuple[int, ...] = ()
    #: How often the table has changed since the start, by whomever.
    table: int = 0


class Control:
    """Answers calls. Without a token, everybody who reaches the port may call."""

    def __init__(
        self,
        table: RouteTable,
        token: str,
        status: Callable[[], Status],
        stop: Callable[[], None],
        metrics: Metrics,
    ) -> None:
        self._table = table
        self._token = token
        self._status = status
        self._stop = stop
        self._metrics = metrics
        self._ending = False

    def end(self) -> None:
        """Refuse changes from now on: nobody remembers them any more."""
        self._ending = True

    def answer(self, call: Call) -> Reply:
        """Return the answer to a call after doing what it asks."""
        reply = self._answer(call)
        self._metrics.called(call.method, call.path, reply.status)
        return reply

    def _answer(self, call: Call) -> Reply:
        if not self._authorized(call.authorization):
            return Reply(403)
        try:
            return self._dispatch(call)
        except (ValueError, msgspec.DecodeError, msgspec.ValidationError) as error:
            return Reply(400, str(error).encode())
        except OutOfStepError as error:
            return Reply(412, f"Carrel-Change: {error}".encode())

    def _authorized(self, authorization: str) -> bool:
        if not self._token:
            return True
        scheme, _, token = authorization.partition(" ")
        return scheme.lower() == "token" and same(token.strip(), self._token)

    def _dispatch(self, call: Call) -> Reply:
        fixed: Mapping[str, tuple[str, Callable[[], Reply]]] = {
            "/api/status": ("GET", lambda: _json(self._status())),
            "/api/shutdown": ("POST", self._shutdown),
        }
        if call.path in fixed:
            method, action = fixed[call.path]
            return action() if call.method == method else _wrong_method()
        if call.path != _ROUTES and not call.path.startswith(_ROUTES + "/"):
            return Reply(404, b"Not Found")
        spec = call.path.removeprefix(_ROUTES)
        match call.method:
            case "GET" if spec in ("", "/"):
                return self._list(call.query)
            case "GET":
                return self._get(spec)
            case "POST" | "DELETE":
                return self._change(call, spec)
            case "PUT" if spec in ("", "/"):
                return self._change(call, spec)
        return _wrong_method()

    def _change(self, call: Call, spec: str) -> Reply:
        """Change the table, if the change is not numbered or has the number that is expected."""
        if self._ending:
            return Reply(503, b"The proxy is ending")
        mark = parse_mark(call.change) if call.change else None
        if mark is not None:
            self._table.writers.expect(mark, whole=call.method == "PUT")
        reply = self._apply(call, spec)
        if mark is not None:
            self._table.writers.note(mark)
            reply = replace(reply, headers=(("Carrel-Table", str(self._table.number)),))
        return reply

    def _apply(self, call: Call, spec: str) -> Reply:
        if call.method == "DELETE":
            return Reply(204 if self._table.remove(spec) else 404)
        if call.method == "POST":
            self._table.add(spec, msgspec.json.decode(call.body, type=dict[str, object]))
            return Reply(201)
        self._table.replace(msgspec.json.decode(call.body, type=Snapshot).routes)
        return Reply(204)

    def _list(self, query: str) -> Reply:
        values = parse_qs(query)
        given = values.get("inactiveSince") or values.get("inactive_since")
        routes = self._table.all()
        if given:
            limit = _moment(given[0])
            routes = [route for route in routes if route.last_activity < limit]
        return _json({route.spec: _shown(route) for route in routes})

    def _get(self, spec: str) -> Reply:
        route = self._table.get(spec)
        return Reply(404) if route is None else _json(_shown(route))

    def _shutdown(self) -> Reply:
        self._stop()
        return Reply(202)


def _shown(route: Route) -> dict[str, object]:
    return {**route.data, "target": route.target.url, "last_activity": _milliseconds(route.last_activity)}


def _milliseconds(moment: Timestamp) -> str:
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _moment(text: str) -> Timestamp:
    year_or_month = len(text) in (4, 7) and "T" not in text
    try:
        return parse_iso(text + "-01-01"[len(text) - 4 :] if year_or_month else text)
    except ValueError:
        raise ValueError(f"inactiveSince must be an ISO 8601 date, not {text!r}") from None


def _wrong_method() -> Reply:
    return Reply(405, b"Method not supported")


def _json(value: object) -> Reply:
    return Reply(200, msgspec.json.encode(value), "application/json")
