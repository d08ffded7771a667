"""TLS contexts from files: for a listener, and for servers behind that speak TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

#: Names as OpenSSL's methods have them; older ones are not offered.
VERSIONS = {"TLSv1_2": ssl.TLSVersion.TLSv1_2, "TLSv1_3": ssl.TLSVersion.TLSv1_3}


class BadTlsError(Exception):
    """A key, certificate or setting cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What one side was given; without a certificate it has none."""

    key: Path | None = None
    cert: Path | None = None
    ca: Path | None = None
    #: Only those with a certificate that `ca` signed come in.
    request_cert: bool = False
    protocol: str = ""
    ciphers: str = ""
    dhparam: Path | None = None
    passphrase: str = field(default="", repr=False)

    def load_chain(self, context: ssl.SSLContext) -> None:
        """Give a context this certificate; raises BadTlsError."""
        if self.cert is None:
            raise BadTlsError("a TLS key needs a certificate beside it")
        try:
            # An empty answer to the question for a passphrase: OpenSSL would ask at the terminal.
            context.load_cert_chain(self.cert, self.key, lambda: self.passphrase)
        except (OSError, ValueError) as error:
            names = " with ".join(str(path) for path in (self.cert, self.key) if path is not None)
            raise BadTlsError(f"cannot use the certificate {names}: {_reason(error)}") from None


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of a listener: TLS 1.2 and later, forward-secret ciphers. Raises BadTlsError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    _settle(context, files)
    files.load_chain(context)
    if files.dhparam is not None:
        dhparam = files.dhparam
        _use(lambda: context.load_dh_params(str(dhparam)), f"the parameters {dhparam}")
    if files.request_cert:
        context.verify_mode = ssl.CERT_REQUIRED
        _trust(context, files, ssl.Purpose.CLIENT_AUTH)
    return context


def client_context(files: TlsFiles, *, insecure: bool = False, authorities: bool = True) -> ssl.SSLContext:
    """Return the context for https targets, which are verified unless `insecure`. Raises BadTlsError.

    Without `authorities` it does not know the system's yet, where no other was given: see `Certificates`.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _settle(context, files)
    if files.cert is not None or files.key is not None:
        files.load_chain(context)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif authorities or files.ca is not None:
        _trust(context, files, ssl.Purpose.SERVER_AUTH)
    return context


def reload_chain(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Make new connections see the certificate that is in the files now; open ones keep theirs.

    Raises BadTlsError and has changed nothing when it cannot be used.
    """
    files.load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    files.load_chain(context)


def _settle(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.protocol in VERSIONS:
        context.minimum_version = context.maximum_version = VERSIONS[files.protocol]
    if files.ciphers:
        _use(lambda: context.set_ciphers(files.ciphers), f"the ciphers {files.ciphers!r}")


def _trust(context: ssl.SSLContext, files: TlsFiles, purpose: ssl.Purpose) -> None:
    if files.ca is None:
        context.load_default_certs(purpose)
    else:
        _use(lambda: context.load_verify_locations(files.ca), f"the authority {files.ca}")


def _use(action: Callable[[], None], what: str) -> None:
    try:
        action()
    except (OSError, ValueError) as error:
        raise BadTlsError(f"cannot use {what}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        # Not all of them have a reason: that about ciphers does not.
        return getattr(error, "reason", error.args[0]) or "not a usable PEM file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
