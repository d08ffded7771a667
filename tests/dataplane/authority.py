"""Certificates for the tests, made by OpenSSL's command."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


@dataclass(frozen=True)
class Certificate:
    """A key and a certificate in files."""

    key: Path
    cert: Path

    def flags(self, prefix: str = "") -> list[str]:
        """Return the flags by which the proxy takes it."""
        return [f"--{prefix}ssl-key", str(self.key), f"--{prefix}ssl-cert", str(self.cert)]


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.own = self._make("ca", "-addext", "basicConstraints=critical,CA:TRUE")

    def sign(self, name: str, passphrase: str = "") -> Certificate:
        """Return a new certificate whose subject is `name`."""
        extra = ["-CA", str(self.own.cert), "-CAkey", str(self.own.key)]
        return self._make(name, "-addext", "subjectAltName=IP:127.0.0.1", *extra, passphrase=passphrase)

    def _make(self, name: str, *extra: str, passphrase: str = "") -> Certificate:
        made = Certificate(self._directory / f"{name}.key", self._directory / f"{name}.pem")
        protection = ["-passout", f"pass:{passphrase}"] if passphrase else ["-nodes"]
        names = ["-keyout", str(made.key), "-out", str(made.cert), "-subj", f"/CN={name}", "-days", "2"]
        subprocess.run(
            ["openssl", "req", "-x509", *_CURVE, *protection, *names, *extra], check=True, capture_output=True
        )
        return made

    def visitor(self, certificate: Certificate | None = None) -> ssl.SSLContext:
        """Return the context of a client that trusts this authority, and may show a certificate."""
        context = ssl.create_default_context(cafile=self.own.cert)
        if certificate is not None:
            context.load_cert_chain(certificate.cert, certificate.key)
        return context

    def server(self, certificate: Certificate, *, ask: bool = False) -> ssl.SSLContext:
        """Return the context of a server, which may ask its clients for certificates."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.cert, certificate.key)
        if ask:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.own.cert)
        return context
