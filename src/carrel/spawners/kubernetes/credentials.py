"""How the hub gets into a cluster: the service account of its own pod, or a kubeconfig file.

Source: "Organizing Cluster Access Using kubeconfig Files" and "Accessing the Kubernetes API from a Pod" of
the Kubernetes documentation, and its API `client.authentication.k8s.io/v1` for programs that make tokens.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from carrel.lib.conversation import hang_up
from carrel.lib.net import join_host

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its service account."""
_REREAD = 60.0
"""Tokens of service accounts change while the hub runs; so old may be what was read, in seconds."""
_PROGRAM_LIMIT = 30.0
_EARLY = 60.0
"""A token is made anew so many seconds before it ends."""
Json = dict[str, Any]


class NoAccess(Exception):
    """There is no usable way into a cluster; the message names the file and what would be right."""


class Tokens(Protocol):
    """Where the hub's token comes from."""

    async def token(self, *, renew: bool = False) -> str:
        """Return the token, empty for none; with `renew` the last one was refused. Raises NoAccess."""


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token that stays as it is."""

    value: str = field(default="", repr=False)

    async def token(self, *, renew: bool = False) -> str:
        """Return the token."""
        return self.value


@dataclass(slots=True)
class TokenFile:
    """A token that somebody else keeps fresh in a file."""

    path: Path
    _value: str = field(default="", repr=False)
    _read: float = 0.0

    async def token(self, *, renew: bool = False) -> str:
        """Return what is in the file, read within the last minute."""
        now = asyncio.get_running_loop().time()
        if renew or not self._value or now - self._read > _REREAD:
            try:
                self._value, self._read = self.path.read_text().strip(), now
            except OSError as error:
                raise NoAccess(f"The token for Kubernetes cannot be read: {error}") from None
        return self._value


@dataclass(slots=True)
class TokenProgram:
    """A token that a program prints, as cloud providers have it."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    version: str
    _value: str = field(default="", repr=False)
    _ends: float = float("inf")
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self, *, renew: bool = False) -> str:
        """Return the token of the last run, of a new one when that has ended or was refused."""
        refused = self._value if renew else ""
        async with self._turn:
            old = datetime.now(UTC).timestamp() > self._ends - _EARLY  # noqa: TID251 - the program's own clock
            # Whoever waited for the lock finds what the one before has fetched.
            if not self._value or old or self._value == refused:
                self._value, self._ends = await self._run()
        return self._value

    async def _run(self) -> tuple[str, float]:
        request = {"apiVersion": self.version, "kind": "ExecCredential", "spec": {"interactive": False}}
        env = {**os.environ, **self.env, "KUBERNETES_EXEC_INFO": msgspec.json.encode(request).decode()}
        try:
            process = await asyncio.create_subprocess_exec(
                *self.argv, env=env, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
            )
        except OSError as error:
            raise NoAccess(f"{self.argv[0]}, which kubeconfig names, cannot be run: {error}") from None
        try:
            async with asyncio.timeout(_PROGRAM_LIMIT):
                output, _ = await process.communicate()
        except TimeoutError:
            raise NoAccess(f"{self.argv[0]} printed no token in {_PROGRAM_LIMIT:g} seconds") from None
        finally:
            if process.returncode is None:
                hang_up(process)
        if process.returncode:
            raise NoAccess(f"{self.argv[0]} ended with status {process.returncode}")
        return self._read(output)

    def _read(self, output: bytes) -> tuple[str, float]:
        try:
            status = msgspec.json.decode(output)["status"]
            token, until = str(status["token"]), status.get("expirationTimestamp")
            ends = datetime.fromisoformat(until).timestamp() if until else float("inf")
        except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
            raise NoAccess(f"{self.argv[0]} did not print an ExecCredential with a token") from None
        return token, ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """The way into one cluster."""

    server: str
    """`https://host:port`, maybe with a path."""
    namespace: str = "default"
    tokens: Tokens = field(default_factory=FixedToken)
    tls: ssl.SSLContext | None = None
    """None for an address without TLS."""
    tls_name: str = ""
    """Whose certificate it is, where that is not the address."""
    basic: str = field(default="", repr=False)
    """`user:password`, of old."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What the settings say instead of the files."""

    host: str = ""
    ca_file: str = ""
    verify: bool | None = None


def find_access(
    overrides: Overrides, environ: Mapping[str, str] = os.environ, account: Path = ACCOUNT
) -> Access:
    """Return the way into the cluster: of the pod that the hub runs in, else of a kubeconfig.

    Raises NoAccess when there is neither, or when what there is cannot be used. Reads files: a few KB.
    """
    if "KUBERNETES_SERVICE_HOST" in environ and (account / "token").exists():
        return _of_pod(overrides, environ, account)
    paths = [Path(each) for each in environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    paths = paths or [Path(environ.get("HOME", "/")) / ".kube" / "config"]
    found = [path for path in paths if path.exists()]
    if not found:
        raise NoAccess(
            "The hub finds no Kubernetes cluster: it does not run in one, and there is no"
            f" {' or '.join(map(str, paths))}. Set KUBECONFIG in the hub's environment."
        )
    return _of_files([(_load(path), path) for path in found], overrides)


def _of_pod(overrides: Overrides, environ: Mapping[str, str], account: Path) -> Access:
    host = join_host(environ["KUBERNETES_SERVICE_HOST"], int(environ.get("KUBERNETES_SERVICE_PORT", "443")))
    server = overrides.host or f"https://{host}"
    try:
        namespace = (account / "namespace").read_text().strip()
    except OSError:
        namespace = "default"
    tls = _tls(server, overrides, ca_file=str(account / "ca.crt"))
    return Access(server=server, namespace=namespace, tokens=TokenFile(account / "token"), tls=tls)


def _load(path: Path) -> Json:
    try:
        import yaml
    except ImportError:
        raise NoAccess("Reading a kubeconfig needs PyYAML: pip install 'carrel[kubernetes]'") from None
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise NoAccess(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise NoAccess(f"{path} is no kubeconfig")
    return content


def _of_files(files: Sequence[tuple[Json, Path]], overrides: Overrides) -> Access:
    current = next((file["current-context"] for file, _ in files if file.get("current-context")), None)
    if not current:
        raise NoAccess(f"{files[0][1]} has no current-context: kubectl config use-context NAME sets it")
    context, _ = _entry(files, "context", str(current))
    cluster, home = _entry(files, "cluster", str(context.get("cluster", "")))
    user, user_home = _entry(files, "user", str(context["user"])) if context.get("user") else ({}, home)
    server = overrides.host or str(cluster.get("server", "")).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise NoAccess(f"{home / 'kubeconfig'}: the cluster {context.get('cluster')} has no server")
    password = str(user.get("password", ""))
    return Access(
        server=server,
        namespace=str(context.get("namespace") or "default"),
        tokens=_tokens(user, user_home),
        tls=_tls_of(server, cluster, user, (home, user_home), overrides),
        tls_name=str(cluster.get("tls-server-name", "")),
        basic=f"{user['username']}:{password}" if user.get("username") else "",
    )


def _entry(files: Sequence[tuple[Json, Path]], kind: str, name: str) -> tuple[Json, Path]:
    """Return what the first file that has the entry says, and the directory that its paths start from."""
    for file, path in files:
        for each in file.get(f"{kind}s") or ():
            if isinstance(each, dict) and each.get("name") == name:
                return dict(each.get(kind) or {}), path.parent
    raise NoAccess(f"{files[0][1]} has no {kind} called {name!r}")


def _tokens(user: Json, home: Path) -> Tokens:
    if user.get("tokenFile"):
        return TokenFile(home / str(user["tokenFile"]))
    if user.get("token"):
        return FixedToken(str(user["token"]))
    program = user.get("exec")
    if not program:
        if user.get("auth-provider"):
            raise NoAccess("kubeconfig has an auth-provider, which Kubernetes has given up: use exec")
        return FixedToken()
    command = str(program.get("command", ""))
    if "/" in command:
        command = str(home / command)
    env = {str(each["name"]): str(each["value"]) for each in program.get("env") or ()}
    words = [command, *map(str, program.get("args") or ())]
    return TokenProgram(words, env, str(program.get("apiVersion", "client.authentication.k8s.io/v1")))


def _tls_of(
    server: str, cluster: Json, user: Json, homes: tuple[Path, Path], overrides: Overrides
) -> ssl.SSLContext | None:
    if cluster.get("insecure-skip-tls-verify") and overrides.verify is None:
        overrides = Overrides(host=overrides.host, ca_file=overrides.ca_file, verify=False)
    authority = cluster.get("certificate-authority")
    ca_file = str(homes[0] / str(authority)) if authority else ""
    ca_data = _decoded(cluster, "certificate-authority-data").decode()
    context = _tls(server, overrides, ca_file=ca_file, ca_data=ca_data)
    if context is not None:
        _identify(context, user, homes[1])
    return context


def _tls(server: str, overrides: Overrides, *, ca_file: str = "", ca_data: str = "") -> ssl.SSLContext | None:
    if not server.startswith("https://"):
        return None
    ca_file, ca_data = (overrides.ca_file, "") if overrides.ca_file else (ca_file, ca_data)
    try:
        context = ssl.create_default_context(cafile=ca_file or None, cadata=ca_data or None)
    except (OSError, ValueError) as error:
        where = ca_file or "certificate-authority-data"
        raise NoAccess(f"The cluster's certificate authority ({where}) cannot be read: {error}") from None
    if overrides.verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _identify(context: ssl.SSLContext, user: Json, home: Path) -> None:
    """Let the hub show its own certificate, when it has one."""
    inline = [_decoded(user, f"client-{part}-data") for part in ("certificate", "key")]
    named = [user.get(f"client-{part}") for part in ("certificate", "key")]
    if not any(inline) and not any(named):
        return
    # ssl reads them from files alone; these are ours, and gone at once.
    with tempfile.TemporaryDirectory(prefix="carrel-") as directory:
        paths = [home / str(path) if path else None for path in named]
        for index, content in enumerate(inline):
            if content:
                paths[index] = Path(directory) / str(index)
                paths[index].write_bytes(content)  # type: ignore[union-attr]
        try:
            context.load_cert_chain(str(paths[0]), str(paths[1]) if paths[1] else None)
        except OSError as error:
            raise NoAccess(f"The hub's certificate for Kubernetes cannot be used: {error}") from None


def _decoded(entry: Json, name: str) -> bytes:
    try:
        return base64.b64decode(str(entry.get(name) or ""), validate=True)
    except binascii.Error:
        raise NoAccess(f"kubeconfig: {name} is not in Base64") from None
