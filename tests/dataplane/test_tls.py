"""TLS through a running proxy: to browsers, on the API, and to servers behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dataplane.authority import Authority, Certificate
from tests.dataplane.harness import DEADLINE, Backend, Proxy, Wire, backend, command, proxy, until
from tests.rigs.systems import free_port

pytestmark = [pytest.mark.real, pytest.mark.parametrize("workers", [1, 2])]

UPGRADE = b"GET /user/u/upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
GET = b"GET /user/u/x HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def site(authority: Authority) -> Certificate:
    return authority.sign("site")


@contextlib.asynccontextmanager
async def secure(
    directory: Path, authority: Authority, site: Certificate, *flags: str
) -> AsyncIterator[Proxy]:
    """Run a proxy that speaks TLS to browsers."""
    async with proxy(directory, *site.flags(), *flags) as front:
        front.tls = authority.visitor()
        yield front


@pytest.fixture
async def front(
    tmp_path: Path, authority: Authority, site: Certificate, behind: Backend
) -> AsyncIterator[Proxy]:
    async with secure(tmp_path, authority, site) as running:
        await running.route("/user/u", behind.url)
        yield running


async def test_the_server_learns_of_tls(front: Proxy, behind: Backend) -> None:
    wire = await front.wire()
    for _ in range(2):
        wire.send(GET)
        assert (await wire.answer()).status == 200
    seen = behind.seen[1]
    assert (seen.one("x-forwarded-proto"), seen.one("x-forwarded-port")) == ("https", "443")
    assert seen.one("x-forwarded-for") == "127.0.0.1"
    assert str((await front.api("GET", "/api/status")).json()["public"]).startswith("https://127.0.0.1:")


async def test_bodies_stream_both_ways_with_flat_memory(front: Proxy, behind: Backend) -> None:
    behind.gate.set()
    await front.get("/user/u/x")
    before = front.memory()
    wire = await front.wire()
    size = 30 * 1024 * 1024
    wire.send(b"PUT /user/u/slowsink HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // 65536):
        wire.send(bytes(65536))
        await wire.writer.drain()
    assert (await wire.answer()).json()["size"] == size
    wire.send(b"GET /user/u/stream HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = await wire.answer()
    assert answer.body == bytes(range(256)) * 256 * 1600
    assert front.memory() - before < 16 * 1024 * 1024


async def test_an_upgrade_becomes_a_pump_and_ends(front: Proxy, behind: Backend) -> None:
    await front.get("/user/u/x")
    baseline = front.descriptors()
    wire = await front.wire()
    wire.send(UPGRADE + b"early")
    assert (await wire.head())[0] == 101
    assert await wire.reader.readexactly(5) == b"early"
    blob = bytes(range(256)) * 2000
    wire.send(blob)
    assert await wire.reader.readexactly(len(blob)) == blob
    wire.send(b"die")
    assert await wire.rest() == b""
    await until(lambda: behind.open <= 1 and front.descriptors() <= baseline, "nothing is left open")


async def test_an_answer_before_the_body_is_sent_reaches_the_client(front: Proxy) -> None:
    wire = await front.wire()
    wire.send(b"POST /user/u/early HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n" + bytes(200_000))
    answer = await wire.answer()
    assert (answer.status, answer.body) == (413, b"long")
    assert await wire.rest() == b""


async def test_vanishing_clients_leave_nothing(front: Proxy, behind: Backend) -> None:
    await front.get("/user/u/x")
    baseline = front.descriptors()
    for _ in range(5):
        half = await asyncio.open_connection("127.0.0.1", front.port)
        half[1].write(b"\x16\x03\x01")
        half[1].transport.abort()
        (await front.wire()).close()
        wire = await front.wire()
        wire.send(b"GET /user/u/never HTTP/1.1\r\nHost: h\r\n\r\n")
        wire.close()
    await until(lambda: front.descriptors() <= baseline, "no descriptor is left")


async def test_a_slow_handshake_is_ended(tmp_path: Path, authority: Authority, site: Certificate) -> None:
    async with secure(tmp_path, authority, site, "--header-timeout", "0.4") as front:
        front.tls = None
        wire = await front.wire()
        wire.send(b"\x16\x03\x01")
        assert await wire.rest() == b""


async def test_plain_http_is_not_answered(front: Proxy) -> None:
    front.tls = None
    wire = await front.wire()
    wire.send(GET)
    assert not (await wire.rest()).startswith(b"HTTP")


def _old(authority: Authority) -> ssl.SSLContext:
    context = authority.visitor()
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
async def test_only_modern_versions_are_spoken(front: Proxy, authority: Authority) -> None:
    wire = await front.wire()
    assert wire.writer.get_extra_info("ssl_object").version() == "TLSv1.3"
    front.tls = _old(authority)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await front.wire()


@pytest.mark.parametrize(
    ("flags", "version", "cipher"),
    [
        (("--ssl-protocol", "TLSv1_2"), "TLSv1.2", ""),
        (("--ssl-protocol", "TLSv1_3"), "TLSv1.3", ""),
        (("--ssl-protocol", "TLSv1_2", "--ssl-ciphers", "ECDHE+CHACHA20"), "TLSv1.2", "CHACHA20"),
        (("--ssl-protocol", "TLSv1_2", "--ssl-ciphers", "ECDHE+AESGCM"), "TLSv1.2", "AES"),
    ],
)
async def test_version_and_ciphers_may_be_chosen(
    tmp_path: Path, authority: Authority, site: Certificate, flags: tuple[str, ...], version: str, cipher: str
) -> None:
    async with secure(tmp_path, authority, site, *flags) as front:
        wire = await front.wire()
        spoken = wire.writer.get_extra_info("ssl_object")
        assert spoken.version() == version
        assert cipher in spoken.cipher()[0]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--ssl-ciphers", "NONSENSE"), b"NONSENSE"),
        (("--ssl-dhparam", "/nowhere/dh.pem"), b"/nowhere/dh.pem"),
        (("--ssl-ca", "/nowhere/ca.pem", "--ssl-request-cert"), b"/nowhere/ca.pem"),
        (("--client-ssl-ca", "/nowhere/ca.pem"), b"/nowhere/ca.pem"),
    ],
)
async def test_what_cannot_be_used_is_named(site: Certificate, flags: tuple[str, ...], named: bytes) -> None:
    process = await asyncio.create_subprocess_exec(
        *command("--port", "0", "--api-port", "0", *site.flags(), *flags), stderr=asyncio.subprocess.PIPE
    )
    _, said = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 1
    assert said.startswith(b"carrel-proxy: cannot use ")
    assert named in said
    assert said.count(b"\n") == 1


async def test_servers_behind_are_told_the_name_that_is_asked_for(
    tmp_path: Path, authority: Authority
) -> None:
    context = authority.server(authority.sign("server"))
    names: list[str | None] = []
    context.sni_callback = lambda _, name, __: names.append(name)
    async with backend(context) as behind, proxy(tmp_path, "--insecure") as front:
        for host in ("localhost", "127.0.0.1"):
            await front.route(f"/{host}", _https(behind).replace("127.0.0.1", host))
            assert (await front.get(f"/{host}/x")).status == 200
    assert names == ["localhost", None]


async def test_the_api_and_servers_behind_see_new_certificates_too(
    tmp_path: Path, authority: Authority
) -> None:
    api, client = authority.sign("api-place"), authority.sign("client-place")
    log = tmp_path / "log"
    flags = (*api.flags("api-"), *client.flags("client-"), "--client-ssl-ca", str(authority.own.cert))
    async with (
        backend(authority.server(authority.sign("server"), ask=True)) as behind,
        proxy(tmp_path, *flags, "--log-file", str(log)) as front,
    ):
        front.api_tls = authority.visitor()
        shown: list[str] = []

        async def note(kept: Wire) -> None:
            kept.send(GET)
            assert (await kept.answer()).status == 200
            (subject,) = behind.subjects
            shown.append(subject)

        await front.route("/user/u", _https(behind))
        kept = await front.wire()
        await note(kept)
        _install(authority.sign("api-renewed"), api)
        _install(authority.sign("client-renewed"), client)
        front.process.send_signal(signal.SIGHUP)
        await until(lambda: "Certificates were read again" in log.read_text(), "they are read")
        behind.subjects.clear()
        await note(kept)
        assert shown == ["client-place", "client-renewed"]
        reader, writer = await asyncio.open_connection("127.0.0.1", front.api_port, ssl=front.api_tls)
        assert _subject(Wire(reader, writer)) == "api-renewed"
        writer.transport.abort()


def _subject(wire: Wire) -> str:
    subject = wire.writer.get_extra_info("peercert")["subject"]
    return str(dict(pair[0] for pair in subject)["commonName"])


def _install(new: Certificate, place: Certificate) -> None:
    shutil.copy(new.key, place.key)
    shutil.copy(new.cert, place.cert)


async def _seen_subject(front: Proxy) -> str:
    wire = await front.wire()
    try:
        return _subject(wire)
    finally:
        wire.close()


async def test_a_new_certificate_without_dropping_connections(
    tmp_path: Path, authority: Authority, behind: Backend
) -> None:
    place = authority.sign("place")
    log = tmp_path / "log"
    async with secure(tmp_path, authority, place, "--log-file", str(log)) as front:
        await front.route("/user/u", behind.url)
        pump, kept = await front.wire(), await front.wire()
        pump.send(UPGRADE)
        assert (await pump.head())[0] == 101
        place.cert.write_text("torn")
        front.process.send_signal(signal.SIGHUP)
        await until(lambda: "Certificates stay as they were" in log.read_text(), "the torn file is seen")
        assert await _seen_subject(front) == "place"
        _install(authority.sign("renewed"), place)
        front.process.send_signal(signal.SIGHUP)
        await until(lambda: "Certificates were read again" in log.read_text(), "the new one is read")
        assert await _seen_subject(front) == "renewed"
        pump.send(b"still")
        assert await pump.reader.readexactly(5) == b"still"
        kept.send(GET)
        assert (await kept.answer()).status == 200
        assert _subject(kept) == "place"


async def test_browsers_may_have_to_show_a_certificate(
    tmp_path: Path, authority: Authority, site: Certificate
) -> None:
    flags = ("--ssl-ca", str(authority.own.cert), "--ssl-request-cert", "--ssl-reject-unauthorized")
    async with secure(tmp_path, authority, site, *flags) as front:
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await front.get("/_chp_healthz")
        front.tls = authority.visitor(authority.sign("visitor"))
        assert (await front.get("/_chp_healthz")).status == 200


async def test_the_api_has_a_certificate_of_its_own(tmp_path: Path, authority: Authority) -> None:
    certificate = authority.sign("api")
    flags = [*certificate.flags("api-"), "--api-ssl-ca", str(authority.own.cert), "--api-ssl-request-cert"]
    async with proxy(tmp_path, *flags) as front:
        front.api_tls = authority.visitor()
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await front.api("GET", "/api/routes")
        front.api_tls = authority.visitor(certificate)
        assert (await front.api("GET", "/api/routes")).status == 200
        assert (await front.get("/_chp_healthz")).status == 200


def _https(behind: Backend) -> str:
    return behind.url.replace("http:", "https:")


async def _status(tmp_path: Path, behind: Backend, *flags: str) -> int:
    async with proxy(tmp_path, *flags) as front:
        await front.route("/user/u", _https(behind))
        return (await front.get("/user/u/x")).status


async def test_servers_behind_are_verified(tmp_path: Path, authority: Authority) -> None:
    async with backend(authority.server(authority.sign("server"))) as behind:
        assert await _status(tmp_path, behind) == 503
        assert await _status(tmp_path, behind, "--insecure") == 200
        trusting = ("--client-ssl-ca", str(authority.own.cert))
        assert await _status(tmp_path, behind, *trusting) == 200
        async with proxy(tmp_path, *trusting) as front:
            await front.route("/user/u", _https(behind).replace("127.0.0.1", "localhost"))
            assert (await front.get("/user/u/x")).status == 503


async def test_servers_behind_may_ask_for_a_certificate(tmp_path: Path, authority: Authority) -> None:
    async with backend(authority.server(authority.sign("server"), ask=True)) as behind:
        trusting = ("--client-ssl-ca", str(authority.own.cert))
        assert await _status(tmp_path, behind, *trusting) in (502, 503)
        shown = [*trusting, *authority.sign("proxy").flags("client-")]
        async with proxy(tmp_path, *shown, "--error-target", _https(behind)) as front:
            await front.route("/user/u", _https(behind))
            wire = await front.wire()
            for _ in range(3):
                wire.send(GET)
                assert (await wire.answer()).status == 200
            assert behind.connections == 1
            front.process.send_signal(signal.SIGHUP)
            wire.send(UPGRADE)
            assert (await wire.head())[0] == 101
            wire.send(b"through")
            assert await wire.reader.readexactly(7) == b"through"
            behind.canned["404"] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"
            page = await front.get("/none", "Accept: text/html")
            assert (page.status, page.body) == (404, b"page")


async def test_a_passphrase_opens_the_key(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = authority.sign("locked", passphrase="open sesame")
    monkeypatch.setenv("CONFIGPROXY_SSL_KEY_PASSPHRASE", "open sesame")
    async with secure(tmp_path, authority, locked) as front:
        assert (await front.get("/_chp_healthz")).status == 200
        front.process.send_signal(signal.SIGHUP)
        assert (await front.get("/_chp_healthz")).status == 200


@pytest.mark.parametrize("passphrase", ["", "wrong"])
async def test_without_it_the_proxy_says_so_and_ends(
    tmp_path: Path, authority: Authority, passphrase: str
) -> None:
    locked = authority.sign("locked", passphrase="open sesame")
    process = await asyncio.create_subprocess_exec(
        *command("--port", "0", "--api-port", "0", *locked.flags()),
        env={**os.environ, "CONFIGPROXY_SSL_KEY_PASSPHRASE": passphrase},
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), DEADLINE)
    assert process.returncode == 1
    assert said.startswith(b"carrel-proxy: cannot use the certificate ")
    assert said.count(b"\n") == 1
    assert b"sesame" not in said


async def test_plain_http_is_sent_to_https(tmp_path: Path, authority: Authority, site: Certificate) -> None:
    port = free_port()
    flags = ("--redirect-port", str(port), "--redirect-to")
    for to, shown in (("8443", ":8443"), ("443", "")):
        async with secure(tmp_path, authority, site, *flags, to) as front:
            plain = Proxy(front.process, port, front.api_port)
            for host in ("foo.example:80", "foo.example", "[::1]:80"):
                bare = host.removesuffix(":80")
                answer = await plain.ask(f"GET /a%20b?c=/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                assert answer.status == 301
                assert answer.headers["location"] == f"https://{bare}{shown}/a%20b?c=/"
            for request in (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n"):
                assert (await plain.ask(request)).status == 400
