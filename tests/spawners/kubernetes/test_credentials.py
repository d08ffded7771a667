from __future__ import annotations

import asyncio
import base64
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from carrel.lib.process_table import find, is_alive
from carrel.spawners.kubernetes.credentials import Access, NoAccess, Overrides, find_access


def kubeconfig(directory: Path, name: str = "config", **changes: Any) -> Path:
    """Write a kubeconfig; `cluster` and `user` are what its only entries say."""
    parts: dict[str, Any] = {
        "cluster": {"server": "https://example.test:6443/"},
        "user": {"token": "t"},
        **changes,
    }
    content = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "hubs"}}],
        "clusters": [{"name": "c", "cluster": parts["cluster"]}],
        "users": [{"name": "u", "user": parts["user"]}],
        **parts.get("top", {}),
    }
    file = directory / name
    file.write_text(json.dumps(content))
    return file


def found(path: Path, **overrides: Any) -> Access:
    return find_access(Overrides(**overrides), {"KUBECONFIG": str(path)}, path.parent / "none")


def certificate(directory: Path) -> tuple[bytes, bytes]:
    """Return a certificate and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(1).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    signed = built.sign(key, hashes.SHA256()).public_bytes(pem)
    return signed, key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)


async def test_a_pod_uses_its_service_account_and_reads_the_token_anew(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("hubs")
    (tmp_path / "ca.crt").write_bytes(certificate(tmp_path)[0])
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    access = find_access(Overrides(), environ, tmp_path)
    assert (access.server, access.namespace) == ("https://[fd00::1]:6443", "hubs")
    assert access.tls is not None
    assert access.tls.verify_mode is ssl.CERT_REQUIRED
    assert await access.tokens.token() == "first"
    (tmp_path / "token").write_text("second")
    assert await access.tokens.token() == "first"
    assert await access.tokens.token(renew=True) == "second"


async def test_a_kubeconfig_says_where_and_as_whom(tmp_path: Path) -> None:
    access = found(kubeconfig(tmp_path))
    assert (access.server, access.namespace) == ("https://example.test:6443", "hubs")
    assert await access.tokens.token() == "t"
    assert found(kubeconfig(tmp_path), host="https://other.test").server == "https://other.test"


async def test_several_files_are_one_and_the_first_wins(tmp_path: Path) -> None:
    first = kubeconfig(tmp_path, "first", top={"users": [], "current-context": "here"})
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "token").write_text("of the second")
    second = kubeconfig(
        tmp_path / "sub", "second", user={"tokenFile": "token"}, cluster={"server": "http://no"}
    )
    access = find_access(Overrides(), {"KUBECONFIG": f"{first}:{second}:/not/there"}, tmp_path)
    assert access.server == "https://example.test:6443"
    assert await access.tokens.token() == "of the second"


def test_a_client_certificate_may_stand_in_the_file_and_leaves_none_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    signed, key = (base64.b64encode(each).decode() for each in certificate(tmp_path))
    user = {"client-certificate-data": signed, "client-key-data": key}
    cluster = {"server": "https://x", "certificate-authority-data": signed}
    assert found(kubeconfig(tmp_path, user=user, cluster=cluster)).tls is not None
    assert [path.name for path in tmp_path.iterdir()] == ["config"]


async def test_a_program_makes_tokens_until_they_end(tmp_path: Path) -> None:
    program = tmp_path / "plug-in"
    program.write_text(
        '#!/bin/sh\necho x >>"$0.runs"\n'
        'printf \'{"status": {"token": "%s-%s", "expirationTimestamp": "2100-01-01T00:00:00Z"}}\''
        ' "$1" "$PLACE"\n'
    )
    program.chmod(0o755)
    entry = {"command": "./plug-in", "args": ["a"], "env": [{"name": "PLACE", "value": "b"}]}
    tokens = found(kubeconfig(tmp_path, user={"exec": entry})).tokens
    assert [await tokens.token(), await tokens.token()] == ["a-b", "a-b"]
    assert (tmp_path / "plug-in.runs").read_text() == "x\n"
    await tokens.token(renew=True)
    assert (tmp_path / "plug-in.runs").read_text() == "x\nx\n"
    program.write_text("#!/bin/sh\necho no\n")
    with pytest.raises(NoAccess, match="did not print an ExecCredential"):
        await tokens.token(renew=True)


async def test_a_program_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    program = tmp_path / "plug-in"
    program.write_text('#!/bin/sh\necho $$ >"$0.draft"\nmv "$0.draft" "$0.pid"\nexec sleep 600\n')
    program.chmod(0o755)
    asking = asyncio.create_task(
        found(kubeconfig(tmp_path, user={"exec": {"command": "./plug-in"}})).tokens.token()
    )
    written = tmp_path / "plug-in.pid"
    async with asyncio.timeout(20):
        while not written.exists():
            await asyncio.sleep(0.01)
        process = find(int(written.read_text()))
        assert process is not None
        asking.cancel()
        while is_alive(process):
            await asyncio.sleep(0.01)
    with pytest.raises(asyncio.CancelledError):
        await asking


def test_a_cluster_may_go_unverified_only_when_somebody_says_so(tmp_path: Path) -> None:
    def mode(cluster: dict[str, Any], **overrides: Any) -> ssl.VerifyMode:
        tls = found(kubeconfig(tmp_path, cluster={"server": "https://x", **cluster}), **overrides).tls
        assert tls is not None
        return tls.verify_mode

    assert mode({}) is ssl.CERT_REQUIRED
    assert mode({"insecure-skip-tls-verify": True}) is ssl.CERT_NONE
    assert mode({"insecure-skip-tls-verify": True}, verify=True) is ssl.CERT_REQUIRED
    assert mode({}, verify=False) is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"top": {"current-context": ""}}, "has no current-context"),
        ({"top": {"clusters": []}}, "has no cluster called 'c'"),
        ({"cluster": {"server": "ftp://x"}}, "has no server"),
        ({"cluster": {"server": "https://x", "certificate-authority-data": "%"}}, "is not in Base64"),
        (
            {"cluster": {"server": "https://x", "certificate-authority": "no.crt"}},
            "certificate authority .*no.crt",
        ),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "use exec"),
        ({"user": {"client-certificate": "no.crt"}}, "certificate for Kubernetes cannot be used"),
    ],
)
def test_what_is_wrong_in_a_kubeconfig_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(NoAccess, match=words):
        found(kubeconfig(tmp_path, **changes))


def test_a_hub_without_a_cluster_is_told_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(NoAccess, match="Set KUBECONFIG"):
        find_access(Overrides(), {"HOME": str(tmp_path)}, tmp_path)
    (tmp_path / "config").write_text("[")
    with pytest.raises(NoAccess, match="config cannot be read"):
        found(tmp_path / "config")
