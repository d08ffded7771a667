"""What hub, template and child say to each other.

On the socket `start` each connection is one server's. The template accepts it and forks, and reads nothing:

    hub → child    Request, with the descriptor of the log
    child → hub    {"pid": 17}, or {"refused": why}: start it the usual way
    hub → child    one byte: go. Without it the child ends, so a hub that gave up has started nothing.

On the socket `hub` the template says {"exit": [pid, status]} of each server that ends, to whoever holds a
connection; it ends by itself some time after the last one was closed and the last server is gone.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

GO = b"\1"
START_SOCKET = "start"
HUB_SOCKET = "hub"
_LENGTH = struct.Struct("!I")
_MOST = 4 << 20


class BadMessageError(Exception):
    """What came is no message, or only a part of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Whose rights a server gets."""

    uid: int
    gid: int
    groups: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a process has from the one that started it. A field that is None stays as it is."""

    umask: int = 0o022
    control_groups: tuple[str, ...] = ()
    """Which to be in, as lines of /proc/PID/cgroup."""
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Soft and hard limit by the names of the module `resource`."""
    nice: int | None = None
    oom_score_adj: int | None = None
    ignored_signals: tuple[int, ...] = ()
    blocked_signals: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A console script to run, and as whom."""

    argv: tuple[str, ...]
    """The script's own path, then its arguments."""
    env: Mapping[str, str]
    home: str
    """The working directory, entered with the user's rights; `/` when that fails."""
    account_home: str
    account_name: str
    rights: Rights | None = None
    """None keeps the template's."""
    pid_variable: str = ""
    """A variable that tells the program its own pid."""
    surroundings: Surroundings = field(default_factory=Surroundings)


def send_request(connection: socket.socket, request: Request, output: int) -> None:
    """Send a request with the descriptor that its server writes to. Raises OSError."""
    body = json.dumps(asdict(request)).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(body))], [output])
    connection.sendall(body)


def receive_request(connection: socket.socket) -> tuple[Request, int]:
    """Return a request and its descriptor. Raises OSError and BadMessageError."""
    head, descriptors, _, _ = socket.recv_fds(connection, _LENGTH.size, 1)
    if len(head) < _LENGTH.size or len(descriptors) != 1:
        raise BadMessageError("no request came")
    length = _LENGTH.unpack(head)[0]
    if length > _MOST:
        raise BadMessageError(f"a request of {length} bytes came")
    try:
        return _request(json.loads(_exactly(connection, length))), descriptors[0]
    except (ValueError, TypeError, KeyError) as error:
        raise BadMessageError(f"a request came that cannot be read: {error}") from None


def _request(found: dict[str, Any]) -> Request:
    around, rights = found.pop("surroundings"), found.pop("rights")
    around["limits"] = {name: (int(soft), int(hard)) for name, (soft, hard) in around["limits"].items()}
    around |= {name: tuple(value) for name, value in around.items() if isinstance(value, list)}
    return Request(
        argv=tuple(found.pop("argv")),
        rights=Rights(**rights | {"groups": tuple(rights["groups"])}) if rights else None,
        surroundings=Surroundings(**around),
        **found,
    )


def _exactly(connection: socket.socket, length: int) -> bytes:
    received = bytearray()
    while len(received) < length:
        chunk = connection.recv(min(length - len(received), 1 << 16))
        if not chunk:
            raise BadMessageError("the request breaks off")
        received += chunk
    return bytes(received)


def encode(message: Mapping[str, Any]) -> bytes:
    """Return an answer as it is sent: a line of JSON."""
    return json.dumps(message).encode() + b"\n"


def receive_answer(connection: socket.socket) -> dict[str, Any]:
    """Return the next answer; empty when the other side has closed. Raises OSError and BadMessageError."""
    line = bytearray()
    while not line.endswith(b"\n"):
        chunk = connection.recv(1)
        if not chunk:
            return {}
        line += chunk
        if len(line) > _MOST:
            raise BadMessageError("an answer without end came")
    return decode(bytes(line))


def decode(line: bytes) -> dict[str, Any]:
    """Return what one line says. Raises BadMessageError."""
    try:
        return dict(json.loads(line))
    except (ValueError, TypeError) as error:
        raise BadMessageError(f"an answer came that cannot be read: {error}") from None


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return pid and uid of the other side, as the kernel knows them."""
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid
