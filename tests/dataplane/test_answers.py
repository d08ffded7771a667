"""The corpus of answers through a running proxy: clients get their own, whole, or see that they did not."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.dataplane.answers import CASES
from tests.dataplane.answers.cases import BROKEN, FORBIDDEN_TRAILERS, REFUSED, WHOLE, Case
from tests.dataplane.answers.judge import is_own
from tests.dataplane.answers.readings import Reading, alike, read_h11, read_llhttp
from tests.dataplane.harness import DEADLINE, Proxy, Wire
from tests.rigs.curl import curl

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
OWN = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


@dataclass
class Raw:
    """A server that answers `MARK.bad` with the case of that number, and everything else with its path."""

    port: int = 0
    #: What was asked on each connection.
    asked: list[list[str]] = field(default_factory=list)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: list[str] = []
        self.asked.append(asked)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
                mark, _, what = path.decode().rpartition("/")[2].partition(".")
                asked.append(f"{mark}.{what}")
                case = CASES[int(mark[1:])] if what == "bad" else None
                writer.write(case.marked(mark) if case else OWN % (len(path), path))
                await writer.drain()
                if case and case.ends:
                    break
        writer.close()

    def reused(self) -> set[int]:
        """Return the numbers of the cases behind which their connection was used again."""
        behind = [one for asked in self.asked for one in asked[:-1]]
        return {int(one[1:5]) for one in behind if one.endswith(".bad")}


@pytest.fixture
async def raw(front: Proxy) -> AsyncIterator[Raw]:
    behind = Raw()
    server = await asyncio.start_server(behind.accept, "127.0.0.1", 0, limit=2**20)
    behind.port = server.sockets[0].getsockname()[1]
    await front.route("/raw", f"http://127.0.0.1:{behind.port}")
    yield behind
    server.close()


def test_the_corpus_has_distinct_cases() -> None:
    assert len({(case.raw, case.method, case.ends) for case in CASES}) == len(CASES) >= 150


async def test_no_answer_is_invented_or_given_to_another(front: Proxy, raw: Raw) -> None:
    other = await front.wire()
    wrong = []
    for number, case in enumerate(CASES):
        problem = await _replay(front, case, f"c{number:04}", other)
        wrong += [f"{case.name}\n    {problem[:300]}"] if problem else []
    for number in raw.reused():
        case = CASES[number]
        wrong += (
            [] if case.clean or len(case.fates) == 3 else [f"{case.name}\n    its connection is used again"]
        )
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


async def _replay(front: Proxy, case: Case, mark: str, other: Wire) -> str:
    """Ask for a case's answer and one more, then for another client's; return what was wrong, or nothing."""
    wire = await front.wire()
    wire.send(f"{case.method} /raw/{mark}.bad HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    wire.send(f"GET /raw/{mark}.follow HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    try:
        got = await wire.rest()
    except TimeoutError:
        return "no end"
    finally:
        wire.close()
        front.wires.remove(wire)
    other.send(f"GET /raw/{mark}.after HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    answer = await other.answer()
    if (answer.status, answer.body) != (200, f"/raw/{mark}.after".encode()):
        return f"another client got {answer}"
    return _judge(case, got, f"/raw/{mark}.follow".encode())


def _judge(case: Case, got: bytes, follow: bytes) -> str:
    first = read_h11(got, case.method)
    if _fate(first) not in case.fates:
        return f"{_fate(first)}: {first}"
    if _fate(first) == WHOLE and (first.status, first.body) != (case.status, case.body):
        return f"another answer: {first}"
    if FORBIDDEN_TRAILERS & {name for name, _ in first.trailers}:
        return f"a forbidden trailer: {first}"
    second = read_h11(first.rest)
    if first.complete and (second.body, second.rest) != (follow, b""):
        return f"behind it came {second}"
    llhttp = read_llhttp(got)
    if case.method == "GET" and first.complete and not all(map(alike, (first, second), llhttp)):
        return f"two parsers read {first} and {llhttp[:1]}"
    return ""


def _fate(reading: Reading) -> str:
    if not reading.complete:
        return BROKEN
    return REFUSED if is_own(reading) else WHOLE


async def test_curl_sees_the_same(front: Proxy, raw: Raw, tmp_path: Path) -> None:
    asked = [(number, what) for number in _modest() for what in ("bad", "follow")]
    said = await _curl(front.port, asked, tmp_path)
    wrong = []
    for (number, what), told in zip(asked, said, strict=True):
        place = tmp_path / f"{number}.{what}"
        body = place.read_bytes() if place.exists() else b""
        problem = _told(CASES[number], told, body) if what == "bad" else ""
        if what == "follow" and (told, body) != (["0", "200"], f"/raw/c{number:04}.follow".encode()):
            problem = f"the next got {told} {body[:100]!r}"
        wrong += [f"{CASES[number].name}\n    {problem}"] if problem else []
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def _modest() -> list[int]:
    """Return the numbers of the cases that real clients can take: they, too, bound heads and have memory."""
    whole = [len(case.raw) < 100_000 or WHOLE not in case.fates for case in CASES]
    return [n for n, case in enumerate(CASES) if whole[n] and not case.name.startswith("huge length")]


async def _curl(port: int, asked: list[tuple[int, str]], directory: Path) -> list[list[str]]:
    """Fetch each into a file of its own, on kept connections; return curl's exit codes and the statuses."""
    blocks = []
    for number, what in asked:
        head = "head\n" if what == "bad" and CASES[number].method == "HEAD" else ""
        url = f'url = "http://127.0.0.1:{port}/raw/c{number:04}.{what}"\n'
        output = f'output = "{directory}/{number}.{what}"\n'
        told = 'write-out = "%{exitcode} %{http_code}\\n"\nsilent\nmax-time = 10\n'
        blocks.append(url + output + head + told)
    config = directory / "config"
    config.write_text("next\n".join(blocks))
    _, said = await curl("--config", str(config))
    return [line.split() for line in said.splitlines()]


def _told(case: Case, told: list[str], body: bytes) -> str:
    exit_code, status = map(int, told)
    fate = BROKEN if exit_code else REFUSED if status == 502 else WHOLE
    same = fate != WHOLE or case.method == "HEAD" or (status, body) == (case.status, case.body)
    return "" if fate in case.fates and same else f"{told} {body[:100]!r}"


async def test_pythons_own_client_sees_the_same(front: Proxy, raw: Raw) -> None:
    wrong = await asyncio.to_thread(_ask_all, front.port)
    assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(wrong)


def _ask_all(port: int) -> list[str]:
    wrong = []
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    for number in _modest():
        case = CASES[number]
        # It knows of no interim answer but 100, and of no more than a hundred lines.
        if b"HTTP/1.1 1" in case.raw.replace(b"HTTP/1.1 100", b"") or case.raw.count(b"\r\nX: y") > 90:
            continue
        told, body = _ask(client, case.method, f"/raw/c{number:04}.bad")
        problem = _told(case, told, body)
        follow = f"/raw/c{number:04}.follow"
        if not problem and _ask(client, "GET", follow) != (["0", "200"], follow.encode()):
            problem = "the next got another answer"
        wrong += [f"{case.name}\n    {problem}"] if problem else []
    client.close()
    return wrong


def _ask(client: http.client.HTTPConnection, method: str, path: str) -> tuple[list[str], bytes]:
    try:
        client.request(method, path)
        with client.getresponse() as answer:
            return ["0", str(answer.status)], answer.read()
    except (OSError, http.client.HTTPException):
        client.close()
        return ["1", "0"], b""
