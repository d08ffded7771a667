"""The command line: every flag of configurable-http-proxy 5.3 is taken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from carrel.dataplane.flags import CHP, FLAGS
from carrel.dataplane.listeners import Endpoint
from carrel.dataplane.options import Options, parse_options

#: As `configurable-http-proxy --help` names them, without -h and -V.
CHP_FLAGS = re.findall(
    r"[a-z4-]+",
    """
    ip port socket ssl-key ssl-cert ssl-ca ssl-request-cert ssl-reject-unauthorized ssl-protocol ssl-ciphers
    ssl-allow-rc4 ssl-dhparam api-ip api-port api-socket api-ssl-key api-ssl-cert api-ssl-ca
    api-ssl-request-cert api-ssl-reject-unauthorized client-ssl-key client-ssl-cert client-ssl-ca
    client-ssl-request-cert client-ssl-reject-unauthorized default-target error-target error-path
    redirect-port redirect-to pid-file no-x-forward no-prepend-path no-include-prefix auto-rewrite
    change-origin protocol-rewrite custom-header insecure host-routing metrics-ip metrics-port metrics-socket
    log-level timeout proxy-timeout storage-backend keep-alive-timeout
    """,
)

VALUES = {
    "port": "0",
    "api-port": "8002",
    "metrics-port": "8003",
    "redirect-port": "8004",
    "redirect-to": "443",
    "log-level": "error",
    "timeout": "1000",
    "proxy-timeout": "1500",
    "keep-alive-timeout": "2000",
    "default-target": "http://127.0.0.1:9",
    "error-target": "http://127.0.0.1:9/error",
    "protocol-rewrite": "https",
    "custom-header": "a:b",
}
#: What a flag is meaningless or refused without.
COMPANY = {
    "redirect-port": ["--ssl-cert", "c.pem"],
    "ssl-key": ["--ssl-cert", "c.pem"],
    "api-ssl-key": ["--api-ssl-cert", "c.pem"],
    "client-ssl-key": ["--client-ssl-cert", "c.pem"],
    "ssl-reject-unauthorized": ["--ssl-request-cert"],
    "redirect-to": ["--redirect-port", "80", "--ssl-cert", "c.pem"],
}
NOTED = {
    "ssl-allow-rc4",
    "storage-backend",
    "client-ssl-request-cert",
    "client-ssl-reject-unauthorized",
    "ssl-protocol",
}


def test_the_table_holds_every_flag() -> None:
    assert {flag.name for flag in CHP} == set(CHP_FLAGS)
    assert len({flag.name for flag in FLAGS}) == len(FLAGS)
    assert all(flag.help for flag in FLAGS)


@pytest.mark.parametrize("name", CHP_FLAGS)
def test_every_flag_is_taken_or_says_what_happens_instead(name: str) -> None:
    flag = next(flag for flag in CHP if flag.name == name)
    value = [] if flag.read is None else [VALUES.get(name, "SSLv3")]
    company = COMPANY.get(name, [])
    options = parse_options([f"--{name}", *value, *company], {})
    if name in NOTED:
        (note,) = options.notes
        assert note.startswith(f"--{name}")
        assert "\n" not in note
    else:
        assert options.notes == ()
        assert name in CONFIRMED or options != parse_options(company, {})


#: Flags that change what happens only together with others, or say what is so already.
CONFIRMED = {
    "ssl-ca",
    "ssl-request-cert",
    "ssl-reject-unauthorized",
    "ssl-ciphers",
    "ssl-dhparam",
    "api-ssl-ca",
    "api-ssl-request-cert",
    "api-ssl-reject-unauthorized",
    "metrics-ip",
}


def test_what_is_not_asked_for_is_off() -> None:
    options = parse_options([], {})
    assert options.public == Endpoint("", 8000)
    assert options.api == Endpoint("127.0.0.1", 8001)
    assert (options.metrics, options.redirect, options.public_tls, options.api_tls) == (None,) * 4
    assert options.rewriting.plain
    assert options.prepend_path
    assert not options.insecure


def test_milliseconds_are_seconds_inside() -> None:
    limits = parse_options(
        ["--timeout", "1500", "--proxy-timeout", "250", "--keep-alive-timeout", "5000"]
    ).limits
    assert (limits.silent_client_seconds, limits.silent_server_seconds) == (1.5, 0.25)
    assert limits.keep_alive_seconds == 5


def test_custom_headers_add_up() -> None:
    options = parse_options(["--custom-header", "X-A: one:two", "--custom-header", "x-b:"])
    assert options.rewriting.headers == ((b"X-A", b"one:two"), (b"x-b", b""))


def tls_of(options: Options) -> list[tuple[Path | None, Path | None, Path | None, bool, str]]:
    found = (options.public_tls, options.api_tls, options.client_tls)
    return [(f.key, f.cert, f.ca, f.request_cert, f.passphrase) for f in found if f is not None]


def test_each_side_has_its_own_certificate() -> None:
    flags: list[str] = []
    for prefix in ("", "api-", "client-"):
        for name in ("key", "cert", "ca"):
            flags += [f"--{prefix}ssl-{name}", prefix + name]
    environment = {f"CONFIGPROXY_{prefix}SSL_KEY_PASSPHRASE": prefix for prefix in ("", "API_", "CLIENT_")}
    options = parse_options([*flags, "--api-ssl-request-cert"], environment)
    assert tls_of(options) == [
        (Path("key"), Path("cert"), Path("ca"), False, ""),
        (Path("api-key"), Path("api-cert"), Path("api-ca"), True, "API_"),
        (Path("client-key"), Path("client-cert"), Path("client-ca"), False, "CLIENT_"),
    ]
    assert "API_" not in repr(options)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--port", "70000"], "is not a port number"),
        (["--socket", "s", "--port", "1"], "--socket takes the place of --ip and --port"),
        (["--api-socket", "s", "--api-ip", "::1"], "--api-socket takes the place"),
        (["--metrics-socket", "s", "--metrics-port", "1"], "--metrics-socket takes the place"),
        (["--error-path", "d", "--error-target", "http://h"], "give one of them"),
        (["--redirect-port", "80"], "give --ssl-cert and --ssl-key too"),
        (["--ssl-key", "k"], "give --ssl-cert too"),
        (["--custom-header", "novalue"], "NAME:VALUE"),
        (["--custom-header", "a b:c"], "NAME:VALUE"),
        (["--custom-header", "a:b\r\nc:d"], "NAME:VALUE"),
        (["--custom-header", "Content-Length: 5"], "belongs to the connection"),
        (["--timeout", "soon"], "is not a whole number of milliseconds"),
        (["--protocol-rewrite", "ftp"], "must be 'http' or 'https'"),
        (["--default-target", "ftp://h"], "must be a URL"),
        (["--log-level", "loud"], "must be one of"),
        (["--unknown"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_named(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        parse_options(flags, {})
    assert stop.value.code == 2
    assert message in capsys.readouterr().err


def test_there_is_a_worker_for_each_core_up_to_four(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, workers in ((1, 1), (3, 3), (96, 4)):
        monkeypatch.setattr("carrel.dataplane.options.usable_cores", lambda cores=cores: cores)
        assert parse_options([]).workers == workers
        assert parse_options(["--workers", "7"]).workers == 7


@pytest.mark.parametrize("number", ["0", "-1", "65", "two", ""])
def test_a_number_of_workers_that_cannot_be(number: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options([f"--workers={number}"])
    assert ended.value.code == 2
    assert "is not a number from 1 to 64" in capsys.readouterr().err
