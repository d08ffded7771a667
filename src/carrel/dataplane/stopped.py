"""Programs that ask for a server that does not run: answered here, so that open tabs cost the hub nothing.

The hub's route may say below which path the servers are (`"servers": "/user/"` in its data). Whatever comes
there by the hub's route is for a server that has none: it does not run, or nobody has that name. Both get the
same answer, which is the hub's own. What somebody sees who opens a page depends on who they are, so visits
still go to the hub.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache

import msgspec

from carrel.dataplane.paths import BadPathError, Segments, escaped, parse_spec, split
from carrel.dataplane.replies import Reply
from carrel.dataplane.request import Request
from carrel.dataplane.routes import Route

_STATUS = 424
#: What the hub's route may ask for as its `stopped_status`.
_LEGACY = 503
_RETRY = (("Retry-After", "5"),)
#: How often the hub hears of a server, in seconds, and of how many in that time.
_PAUSE = 5.0
_MOST = 1024


class StoppedServers:
    """Answers these requests, but for one now and then: the hub mends its routes when one should not come."""

    __slots__ = ("_heard", "_now")

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # What the hub has heard of lately, and when. Hashes, since a path may be long; in order of time.
        self._heard: dict[int, float] = {}

    def answer(self, request: Request, route: Route) -> Reply | None:
        """Return the answer to a request for which `route` was found, or None when it is to go there."""
        spec = route.data.get("servers")
        if not isinstance(spec, str) or not route.leads_to_hub:
            return None
        prefix = _prefix(spec)
        segments = split(request.path)
        count = len(prefix)
        if not count or tuple(segments[:count]) != prefix or not any(segments[count : count + 1]):
            return None
        if _may_be_visit(request):
            return None
        # The hub has no use for an upgrade, and bounds bodies more than servers do.
        if not request.has_body and not request.wants_upgrade and self._is_due(segments[: count + 2]):
            return None
        legacy = route.data.get("stopped_status") == _LEGACY
        return _not_running(request, prefix, segments[count], _LEGACY if legacy else _STATUS)

    def _is_due(self, server: list[bytes]) -> bool:
        """Tell whether the hub shall hear of a server: of a user, and what may be its name or a page."""
        now, heard = self._now(), self._heard
        while heard and now >= heard[first := next(iter(heard))] + _PAUSE:
            del heard[first]
        key = hash(tuple(server))
        if key in heard or len(heard) >= _MOST:
            return False
        heard[key] = now
        return True


@lru_cache(16)
def _prefix(spec: str) -> Segments:
    try:
        return parse_spec(spec)
    except BadPathError:
        return ()


def _may_be_visit(request: Request) -> bool:
    """Tell whether somebody may be opening a page.

    What tells neither what it takes nor which page it comes from may be a script that follows the hub's
    redirects as a visitor does.
    """
    if request.wants_upgrade or request.method not in (b"GET", b"HEAD") or b"/api/" in request.path:
        return False
    accept = request.header(b"accept")
    if b"text/html" in accept:
        return True
    mode = request.header(b"sec-fetch-mode")
    if mode:
        return mode == b"navigate"
    return accept in (b"", b"*/*") and not request.header(b"referer")


def _not_running(request: Request, prefix: Segments, name: bytes, status: int) -> Reply:
    """Return what the hub answers too, see `carrel.web.user_urls`; nothing but the head for an upgrade."""
    if request.wants_upgrade:
        return Reply(status, headers=_RETRY)
    place = escaped((*prefix, name))
    home = escaped((*prefix[:-1], b"hub", b"home"))
    message = f"The server at {place}/ is no longer running. Restart the server at {home}"
    return Reply(status, msgspec.json.encode({"message": message}), "application/json", _RETRY)
