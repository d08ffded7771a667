from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from carrel.spawners.docker.address import EngineAddress, Tls, find_engine, old_tls
from carrel.spawners.errors import StartError


@pytest.mark.parametrize(
    ("environ", "client", "url", "host"),
    [
        ({}, {}, "unix:///var/run/docker.sock", ""),
        ({"DOCKER_HOST": "unix:///run/x.sock"}, {}, "unix:///run/x.sock", ""),
        ({"DOCKER_HOST": "tcp://10.0.0.7:2375"}, {}, "http://10.0.0.7:2375", "10.0.0.7"),
        ({"DOCKER_HOST": "tcp://engine"}, {}, "http://engine:2375", "engine"),
        ({"DOCKER_HOST": "unix:///x"}, {"base_url": "tcp://e:9"}, "http://e:9", "e"),
        ({}, {"base_url": "/run/y.sock"}, "unix:///run/y.sock", ""),
        ({}, {"base_url": "https://e"}, "https://e:2376", "e"),
        ({}, {"base_url": "tcp://[::1]:2376", "tls": True}, "https://[::1]:2376", "::1"),
        ({"DOCKER_HOST": "tcp://e:1", "DOCKER_TLS_VERIFY": "1"}, {}, "https://e:1", "e"),
    ],
)
def test_where_the_engine_is(environ: dict[str, str], client: dict[str, Any], url: str, host: str) -> None:
    found = find_engine(environ, client, {})
    assert (found.url, found.host) == (url, host)
    assert (found.tls is not None) is url.startswith("https")


def test_what_cannot_be_obeyed_is_named() -> None:
    with pytest.raises(StartError, match="'ssh://me@there'") as caught:
        find_engine({"DOCKER_HOST": "ssh://me@there"}, {}, {})
    assert "base_url" in caught.value.hint
    with pytest.raises(StartError, match="client_kwargs has no 'bas_url'"):
        find_engine({}, {"bas_url": "x"}, {})


def test_certificates_by_settings_and_by_the_environment() -> None:
    config = {"client_cert": ("c.pem", "k.pem"), "ca_cert": "ca.pem", "assert_hostname": False}
    there = {"base_url": "tcp://e:1"}
    assert find_engine({}, there, config).tls == Tls("ca.pem", "c.pem", "k.pem", check_name=False)
    of_old = {"ca": "ca.pem", "cert": "c.pem", "key": "k.pem", "verify": None, "assert_hostname": None}
    assert find_engine({}, there, old_tls(of_old)).tls == Tls("ca.pem", "c.pem", "k.pem")
    environ = {"DOCKER_HOST": "tcp://e:1", "DOCKER_CERT_PATH": "/c", "DOCKER_TLS_VERIFY": "1"}
    assert find_engine(environ, {}, {}).tls == Tls("/c/ca.pem", "/c/cert.pem", "/c/key.pem")
    del environ["DOCKER_TLS_VERIFY"]
    assert find_engine(environ, {}, {}).tls == Tls("", "/c/cert.pem", "/c/key.pem", verify=False)


def test_how_much_is_believed(tmp_path: Path) -> None:
    strict, lax = Tls().context(), Tls(verify=False).context()
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)
    assert not Tls(check_name=False).context().check_hostname
    with pytest.raises(StartError, match=r"cannot be used \(.*/absent\.pem\)"):
        Tls(ca=str(tmp_path / "absent.pem")).context()
    assert EngineAddress("unix:///x").socket == "/x"
