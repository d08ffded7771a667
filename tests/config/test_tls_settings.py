"""`ssl_key` and `ssl_cert`: what OpenSSL makes of real files, told before the hub starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrel.config.load import Loaded, load
from carrel.config.schema import BadConfig
from carrel.config.tls import PASSPHRASE_VARIABLE
from tests.dataplane.authority import Authority

pytestmark = pytest.mark.real


def read(directory: Path, key: str, cert: str, **environ: str) -> Loaded:
    text = f"\nc.JupyterHub.ssl_key = {key!r}\nc.JupyterHub.ssl_cert = {cert!r}\n"
    (directory / "jupyterhub_config.py").write_text(text)
    return load((), directory, environ)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def test_a_good_pair_is_taken(tmp_path: Path, authority: Authority) -> None:
    made = authority.sign("hub")
    loaded = read(tmp_path, str(made.key), str(made.cert))
    assert loaded.settings.ssl_cert == str(made.cert)
    assert [each for each in loaded.warnings if "ssl" in each.setting] == []


def test_paths_begin_at_the_hubs_directory(tmp_path: Path) -> None:
    made = Authority(tmp_path).sign("hub")
    assert read(tmp_path, made.key.name, made.cert.name).settings.ssl_key == "hub.key"


def test_one_file_may_hold_both(tmp_path: Path, authority: Authority) -> None:
    made = authority.sign("both")
    both = tmp_path / "both.pem"
    both.write_bytes(made.cert.read_bytes() + made.key.read_bytes())
    read(tmp_path, "", str(both))


def test_a_key_of_another_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, str(authority.sign("one").key), str(authority.sign("two").cert))
    (problem,) = caught.value.problems
    assert "the key belongs to another certificate" in problem.message
    assert "two.pem" in problem.message
    assert problem.location == "jupyterhub_config.py:3"


def test_both_files_are_looked_at_at_once(tmp_path: Path) -> None:
    (tmp_path / "cert").write_text("no certificate")
    with pytest.raises(BadConfig) as caught:
        read(tmp_path, "key", "cert")
    key, cert = caught.value.problems
    assert (key.location, cert.location) == ("jupyterhub_config.py:2", "jupyterhub_config.py:3")
    assert "cannot be read (No such file or directory)" in key.message
    assert "is not a PEM file" in cert.message


def test_files_of_a_proxy_elsewhere_need_not_be_here(tmp_path: Path) -> None:
    lines = "c.JupyterHub.ssl_key = 'key'\nc.JupyterHub.ssl_cert = 'cert'\nc.Proxy.should_start = False\n"
    (tmp_path / "jupyterhub_config.py").write_text(lines)
    told = [each for each in load((), tmp_path, {}).warnings if "cannot be read" in each.message]
    assert [each.location for each in told] == ["jupyterhub_config.py:1", "jupyterhub_config.py:2"]


def test_an_encrypted_key_needs_its_passphrase(tmp_path: Path, authority: Authority) -> None:
    made = authority.sign("locked", passphrase="sesame")
    files = str(made.key), str(made.cert)
    read(tmp_path, *files, **{PASSPHRASE_VARIABLE: "sesame"})
    with pytest.raises(BadConfig, match=r"locked\.pem") as caught:
        read(tmp_path, *files, **{PASSPHRASE_VARIABLE: "guess"})
    assert PASSPHRASE_VARIABLE in str(caught.value)
    assert "guess" not in str(caught.value)
