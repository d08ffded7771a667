"""The same requests to configurable-http-proxy and to carrel-proxy, with the same flags, side by side.

What is meant to be different stands in decision 4, and is asserted here for both.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from carrel.dataplane.flags import CHP as FLAGS
from tests.dataplane.harness import Answer, Backend, proxy
from tests.dataplane.side_by_side import UPGRADE, Pair, both, chp
from tests.rigs.needs import need
from tests.rigs.systems import CHP, free_port

pytestmark = pytest.mark.real

#: Those of one connection, and of how a body is framed.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date"}

REQUESTS = {
    "no route": b"GET /nowhere HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "no route for an upgrade": b"GET /nowhere HTTP/1.1\r\nHost: h\r\n" + UPGRADE + b"\r\n",
    "a dead server": b"GET /dead HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "a dead server for an upgrade": b"GET /dead HTTP/1.1\r\nHost: h\r\n" + UPGRADE + b"\r\n",
    "health": b"GET /_chp_healthz HTTP/1.1\r\nHost: h\r\n\r\n",
    "health, posted": b"POST /_chp_healthz HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
    "not health": b"GET /_chp_healthz/ HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
    "served": b"GET /u/served HTTP/1.1\r\nHost: h\r\n\r\n",
    "missing": b"GET /u/missing HTTP/1.1\r\nHost: h\r\n\r\n",
    "by a longer route": b"GET /u/deep/er/x HTTP/1.1\r\nHost: h\r\n\r\n",
    "beside a route": b"GET /uu HTTP/1.1\r\nHost: h\r\nAccept: text/html\r\n\r\n",
}


async def test_errors_have_the_same_status_and_kind(pair: Pair, behind: Backend) -> None:
    behind.canned["served"] = b"HTTP/1.1 200 Fine\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok"
    behind.canned["missing"] = b"HTTP/1.1 404 Gone\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nno"
    for spec, url in (("/u", behind.url), ("/u/deep", behind.url), ("/dead", "http://127.0.0.1:1")):
        await pair.route(spec, url)
    for name, raw in REQUESTS.items():
        theirs, ours = await pair.ask(raw)
        assert theirs.status == ours.status, name
        kinds = [answer.headers.get("content-type", "").partition(";")[0] for answer in (theirs, ours)]
        assert kinds[0] == kinds[1], name
        if kinds[0] != "text/html":
            assert theirs.body == ours.body, name


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n"])
async def test_a_server_without_a_usable_answer_is_another_failure_here(pair: Pair, said: bytes) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    await pair.route("/u", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert [answer.status for answer in await pair.get("/u/x")] == [503, 502]
    server.close()


def _fields(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in _HOP}


async def test_the_error_targets_page_is_shown_alike(tmp_path: Path, behind: Backend) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Own: 1\r\nContent-Length: 4\r\n\r\npage"
    behind.canned |= {"404": page, "503": page}
    target = f"{behind.url}/hub/error"
    async with both(tmp_path, "--error-target", target, ours=("--error-page-cache", "0")) as pair:
        await pair.route("/dead", "http://127.0.0.1:1")
        for path in ("/nowhere/x?a=b&c=%20d", "/dead/x?y"):
            behind.seen.clear()
            theirs, ours = await pair.get(path, "Accept: text/html")
            assert (theirs.status, theirs.body) == (ours.status, ours.body)
            assert _fields(theirs) == {k: v for k, v in _fields(ours).items() if k != "retry-after"}
            assert behind.seen[0].line == behind.seen[1].line


async def test_pages_from_a_directory_are_shown_alike(tmp_path: Path) -> None:
    (tmp_path / "404.html").write_text("404 of ours")
    (tmp_path / "error.html").write_text("the rest")
    async with both(tmp_path, "--error-path", str(tmp_path)) as pair:
        await pair.route("/dead", "http://127.0.0.1:1")
        for path in ("/nowhere", "/dead"):
            theirs, ours = await pair.get(path, "Accept: text/html")
            assert (theirs.status, theirs.body) == (ours.status, ours.body)


#: Flags that change requests and answers.
CHANGES = [
    (),
    ("--no-x-forward",),
    ("--no-prepend-path",),
    ("--no-include-prefix",),
    ("--change-origin",),
    ("--auto-rewrite",),
    ("--protocol-rewrite", "https"),
    ("--auto-rewrite", "--protocol-rewrite", "https"),
    ("--custom-header", "X-A: one:two", "--custom-header", "x-b:2"),
    ("--host-routing",),
]


@pytest.mark.parametrize("flags", CHANGES, ids=" ".join)
async def test_flags_change_the_same(tmp_path: Path, behind: Backend, flags: tuple[str, ...]) -> None:
    moved = f"HTTP/1.1 302 F\r\nLocation: {behind.url}/z?q=1\r\nContent-Length: 0\r\n\r\n"
    behind.canned["moved"] = moved.encode()
    spec = "/h.example/u" if "--host-routing" in flags else "/u"
    requests = [
        ("/u/x?y=/1", "X-Forwarded-For: 9.9.9.9", "X-Forwarded-Proto: https", "x-a: mine"),
        ("/u/a%2Fb//c", "Cookie: a=b; c=d"),
        ("/u/moved",),
    ]
    async with both(tmp_path, *flags) as pair:
        await pair.route(spec, behind.url + "/pre")
        for path, *headers in requests:
            behind.seen.clear()
            lines = [f"GET {path} HTTP/1.1", "Host: h.example:8000", *headers, "", ""]
            raw = "\r\n".join(lines).encode()
            theirs, ours = await pair.ask(raw)
            assert (theirs.status, _fields(theirs)) == (ours.status, _fields(ours))
            seen = [
                (each.line, sorted((k.lower(), v) for k, v in each.headers if k.lower() not in _HOP))
                for each in behind.seen
            ]
            assert seen[0] == seen[1]


async def test_metrics_have_the_same_names(tmp_path: Path) -> None:
    found = []
    for run in (chp, lambda *flags: proxy(tmp_path, *flags)):
        port = free_port()
        async with run("--metrics-ip", "127.0.0.1", "--metrics-port", str(port)) as one:
            await one.get("/nowhere")
            one.port = port
            text = (await one.get("/metrics")).body.decode()
        found.append(set(re.findall(r"^# TYPE (\S+ \S+)$", text, re.MULTILINE)))
    theirs = {each for each in found[0] if not each.startswith(("nodejs_", "process_"))}
    assert theirs
    assert theirs <= found[1]


async def test_the_flags_are_those_that_it_names_itself() -> None:
    need(CHP.exists(), "configurable-http-proxy, which npm installs,")
    process = await asyncio.create_subprocess_exec(str(CHP), "--help", stdout=asyncio.subprocess.PIPE)
    text = (await process.communicate())[0].decode()
    named = dict(re.findall(r"^  --([a-z0-9-]+)( <[^>]+>)?", text, re.MULTILINE))
    assert {name: bool(value) for name, value in named.items()} == {
        flag.name: flag.read is not None for flag in FLAGS
    }
