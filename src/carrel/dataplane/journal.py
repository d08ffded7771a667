"""The route file's format: a snapshot of the table, and after it a line for each change since.

    carrel-routes-2 SHA256 SIZE
    {"number":7,"writers":[["hub-1",3]]}                           \\ the snapshot, SIZE bytes
    ["/user/ada",{"target":"http://127.0.0.1:81"},1700000000.0]    /
    CRC32 {"number":8,"time":1700000001.0,"removed":["/user/ada"]}
    CRC32 {"number":9,"mark":["hub-1",4]}
    CRC32 {"number":10,"time":1700000002.0,"put":{"/user/bea":{"target":"http://127.0.0.1:82"}}}

Lines are numbered through. The mark that a writer gave a change stands after it: without the mark, the writer
asks for the change again. A change after the snapshot may be in it already: it says what became of a route,
and is applied once more. Only the last line can be incomplete, when the process was killed while it wrote;
anything else that does not fit is damage.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from carrel.dataplane.routes import Route
from carrel.dataplane.writers import Mark, Writers
from carrel.lib.clock import Timestamp

_FIRST_LINE = re.compile(rb"carrel-routes-2 ([0-9a-f]{64}) ([0-9]{1,15})")
_FIRST_FORMAT = b"carrel-routes-1 "


class DamagedFileError(ValueError):
    """The content is not what this program writes; the text says what does not fit."""


class StoredRoute(msgspec.Struct, frozen=True, array_like=True):
    """A route as it stands in a snapshot; `spec` is URL-escaped."""

    spec: str
    data: Mapping[str, object]
    last_activity: Timestamp


class Head(msgspec.Struct, frozen=True):
    """What a snapshot says besides its routes: the last line that is in it, and the writers."""

    number: int
    writers: tuple[Mark, ...] = ()


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change of the table, as `routes.Change` tells it, and its moment; or the `mark` of the one before."""

    number: int
    time: Timestamp = 0.0
    put: Mapping[str, Mapping[str, object]] = {}
    removed: tuple[str, ...] = ()
    whole: bool = False
    mark: Mark | None = None

    @property
    def entries(self) -> int:
        """Return how many routes it speaks of, and at least one: every line takes room."""
        return max(1, len(self.put) + len(self.removed))


@dataclass(slots=True)
class Remembered:
    """What a file holds."""

    routes: dict[str, StoredRoute]
    #: Of the last line.
    number: int = 0
    writers: Writers = field(default_factory=Writers)
    #: How many routes the changes after the snapshot speak of.
    entries: int = 0
    #: Bytes up to the end of the last complete line; 0 for a format that takes no changes.
    size: int = 0
    #: Whether an incomplete line follows.
    torn: bool = False

    def apply(self, record: Record) -> None:
        """Do to what is remembered what was done to the table."""
        if record.mark is not None:
            self.writers.note(record.mark)
        before: dict[str, StoredRoute] = {}
        if record.whole:
            before, self.routes = self.routes, {}
        for spec in record.removed:
            self.routes.pop(spec, None)
        for spec, data in record.put.items():
            moment, known = record.time, before.get(spec)
            if known is not None and known.data.get("target") == data.get("target"):
                moment = known.last_activity
            self.routes[spec] = StoredRoute(spec, data, moment)
        self.number = record.number
        self.entries += record.entries


@dataclass(slots=True)
class Snapshot:
    """A snapshot that is being written, some routes at a time."""

    head: Head
    _lines: list[bytes] = field(default_factory=list)

    def add(self, routes: Iterable[Route]) -> None:
        """Add routes as they are now."""
        stored = [StoredRoute(route.escaped, route.data, route.last_activity) for route in routes]
        self._lines.append(_encoder.encode_lines(stored))

    def encode(self) -> bytes:
        """Return the bytes that a file begins with."""
        body = b"".join((_encoder.encode(self.head), b"\n", *self._lines))
        return b"carrel-routes-2 %b %d\n%b" % (hashlib.sha256(body).hexdigest().encode(), len(body), body)


def encode_record(record: Record) -> bytes:
    """Return the line of a change."""
    payload = _encoder.encode(record)
    return b"%08x %b\n" % (zlib.crc32(payload), payload)


def decode(content: bytes) -> Remembered:
    """Return what a file holds; raise DamagedFileError when it is not as it was written."""
    try:
        return _decode_first_format(content) if content.startswith(_FIRST_FORMAT) else _decode(content)
    except msgspec.MsgspecError as error:
        raise DamagedFileError(str(error)) from None


def _decode(content: bytes) -> Remembered:
    first, _, rest = content.partition(b"\n")
    found = _FIRST_LINE.fullmatch(first)
    if found is None:
        raise DamagedFileError("it does not begin as a route file does")
    body, changes = rest[: int(found[2])], rest[int(found[2]) :]
    if hashlib.sha256(body).hexdigest().encode() != found[1]:
        raise DamagedFileError("the snapshot's checksum does not fit")
    head, _, routes = body.partition(b"\n")
    known = _head.decode(head)
    remembered = Remembered(_by_spec(_routes.decode_lines(routes)), known.number, Writers(known.writers))
    *complete, last = changes.split(b"\n")
    for line in complete:
        remembered.apply(_decode_record(line, remembered.number + 1))
    remembered.size, remembered.torn = len(content) - len(last), last != b""
    return remembered


def _decode_record(line: bytes, number: int) -> Record:
    if line[:9] != b"%08x " % zlib.crc32(line[9:]):
        raise DamagedFileError(f"the checksum of change {number} does not fit")
    record = _record.decode(line[9:])
    if record.number != number:
        raise DamagedFileError(f"change {number} is missing, {record.number} is there")
    return record


class _FirstRoute(msgspec.Struct, frozen=True):
    spec: str
    data: Mapping[str, object]
    last_activity: Timestamp


def _decode_first_format(content: bytes) -> Remembered:
    """Read what earlier versions wrote: a line with the checksum of what follows, then all routes as JSON."""
    first, _, body = content.partition(b"\n")
    if first != _FIRST_FORMAT + hashlib.sha256(body).hexdigest().encode():
        raise DamagedFileError("the checksum does not fit")
    routes = msgspec.json.decode(body, type=list[_FirstRoute])
    return Remembered(_by_spec(StoredRoute(route.spec, route.data, route.last_activity) for route in routes))


def _by_spec(routes: Iterable[StoredRoute]) -> dict[str, StoredRoute]:
    return {route.spec: route for route in routes}


_encoder = msgspec.json.Encoder()
_head = msgspec.json.Decoder(Head)
_record = msgspec.json.Decoder(Record)
_routes = msgspec.json.Decoder(StoredRoute)
