"""The key and certificate of the public side, looked at before anything starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from carrel.config.schema import Problem, Settings

#: Opens an encrypted key; the name is configurable-http-proxy's.
PASSPHRASE_VARIABLE = "CONFIGPROXY_SSL_KEY_PASSPHRASE"  # noqa: S105 - the name of one


def check_tls(settings: Settings, environ: Mapping[str, str]) -> Iterator[Problem]:
    """Yield what is wrong with `ssl_key` and `ssl_cert`: unreadable, of no use, not of one pair."""
    if not settings.ssl_cert:
        if settings.ssl_key:
            text = "a key alone is of no use: set ssl_cert to the file of its certificate, too"
            yield _problem(settings, "ssl_key", text)
        return
    unreadable = False
    for name in ("ssl_key", "ssl_cert"):
        if getattr(settings, name) and (trouble := _trouble(settings, name)):
            unreadable = True
            yield _problem(settings, name, trouble)
    if not unreadable and (trouble := _mismatch(settings, environ)):
        yield _problem(settings, "ssl_cert", trouble)


def _trouble(settings: Settings, name: str) -> str:
    path = settings.resolve(getattr(settings, name))
    try:
        content = path.read_bytes()
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}): name a PEM file that the hub's account may read"
    if b"-----BEGIN " not in content:
        return f"{path} is not a PEM file: it holds no line that begins with -----BEGIN"
    return ""


def _mismatch(settings: Settings, environ: Mapping[str, str]) -> str:
    # Few hubs end TLS themselves, and all of them are to start quickly.
    from carrel.dataplane.tls import BadTlsError, TlsFiles, server_context

    key = settings.resolve(settings.ssl_key) if settings.ssl_key else None
    files = TlsFiles(
        key=key, cert=settings.resolve(settings.ssl_cert), passphrase=environ.get(PASSPHRASE_VARIABLE, "")
    )
    try:
        server_context(files)
    except BadTlsError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            return f"{error}: the key belongs to another certificate"
        if key is not None and b"ENCRYPTED" in key.read_bytes():
            return f"{error}: the key is encrypted, and {PASSPHRASE_VARIABLE} is not its passphrase"
        return str(error)
    return ""


def _problem(settings: Settings, name: str, text: str) -> Problem:
    # A proxy that somebody else runs has its own files, perhaps on another machine.
    proxies = (own for section, own in settings.plugins.items() if section.endswith("Proxy"))
    elsewhere = any(own.get("should_start") is False for own in proxies)
    return Problem(f"JupyterHub.{name}", text, settings.place(name), fatal=not elsewhere)
