"""How a request's path is cut into the segments that routes are matched on.

A path is split on `/` first and each segment decoded afterwards. So `/user/a%2Fb/` has the segments `user`
and `a/b`, and never reaches the route `/user/a/b`: servers that decode a path before they match it, and
servers that do not, then get only what was meant for them. (configurable-http-proxy decodes first.
JupyterHub's names hold no slash, so its own routes match the same way in both.) Whatever a server might read
as a step upwards is refused, and so is what would lead to another route if it were read as most servers do:
decoded first, and perhaps without empty segments (`other_readings`).
"""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

Segments = tuple[bytes, ...]


class BadPathError(ValueError):
    """The path could mean another one to the server behind."""


def split(raw: bytes) -> list[bytes]:
    """Return the decoded segments of a path without its query.

    Raises BadPathError when a segment is, holds or hides `.` or `..`: plainly, encoded, behind an encoded
    slash or a backslash, or before a `;`.
    """
    if b"%" in raw or b"/." in raw or b"\\" in raw:
        segments = [unquote_to_bytes(segment) for segment in raw.split(b"/")[1:]]
        for segment in segments:
            if segment != b"" and _hides_dots(segment):
                raise BadPathError("the path must not hold '.' or '..' segments")
        return segments
    return raw.split(b"/")[1:]


def is_plain(raw: bytes) -> bool:
    """Tell whether a path can only be read in one way: its segments are what stands between its slashes."""
    return not (b"%" in raw or b"//" in raw or b"/." in raw or b"\\" in raw)


def other_readings(raw: bytes) -> list[list[bytes]]:
    """Return the segments of a path as servers may find them otherwise than `split` does.

    That is, when it is decoded before it is cut, and when empty segments are dropped besides.
    """
    decoded = unquote_to_bytes(raw)
    if b"//" not in decoded and decoded.count(b"/") == raw.count(b"/"):
        return []
    segments = decoded.split(b"/")[1:]
    return [segments, [segment for segment in segments if segment]]


def _hides_dots(segment: bytes) -> bool:
    pieces = segment.replace(b"\\", b"/").split(b"/")
    return any(piece.split(b";", 1)[0] in (b".", b"..") for piece in pieces)


def parse_spec(spec: str) -> Segments:
    """Return the segments of a route specification, URL-escaped like a path; empty ones at its ends go.

    Raises BadPathError as `split` does, and for a specification with a query or a fragment.
    """
    if "?" in spec or "#" in spec:
        raise BadPathError("a route is a path, without '?' or '#'")
    trimmed = "/" + spec.strip("/")
    return () if trimmed == "/" else tuple(split(trimmed.encode()))


def shown(segments: Segments) -> str:
    """Return the decoded form under which the API names a route; a slash inside a segment stays `%2F`."""
    return "/" + "/".join(segment.replace(b"/", b"%2F").decode("utf-8", "replace") for segment in segments)


def escaped(segments: Segments) -> str:
    """Return the specification that `parse_spec` turns into `segments` again."""
    return "/" + "/".join(quote(segment, safe="@~") for segment in segments)
