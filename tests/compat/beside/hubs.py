"""The two hubs, equally equipped, and what it takes to ask them as somebody."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.compat.beside.asking import NOTHING, Ask, Case
from tests.compat.beside.normal import Aspects, aspects
from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.places import ROOT
from tests.rigs.singleusers import PASSWORD, STUB
from tests.rigs.systems import System, carrel, free_port, jupyterhub
from tests.rigs.visitor import Visitor

PLUGINS = ROOT / "tests" / "compat" / "beside" / "plugins"
_PATIENCE = 20.0

#: People of both hubs, and the tokens that exist beside their own: whose, and with which scopes.
PEOPLE = ("ada", "bea")
TOKENS: dict[str, tuple[str, list[str]]] = {
    "lister": ("admin", ["list:users", "read:hub", "read:metrics"]),
    "reader of ada": ("admin", ["read:users!user=ada", "list:users!user=ada", "read:servers!user=ada"]),
    "names": ("admin", ["read:users:name"]),
    "groups": ("admin", ["read:users:groups"]),
    "moments": ("admin", ["read:users:activity"]),
    "roles": ("admin", ["read:roles:users"]),
    "servers": ("admin", ["read:servers"]),
    "starter": ("admin", ["start:servers!user=ada", "delete:servers!user=ada"]),
    "user maker": ("admin", ["admin:users"]),
    "service maker": ("admin", ["admin:services"]),
    "service names": ("admin", ["read:services:name"]),
    "board's reader": ("admin", ["read:services!service=board", "list:services!service=board"]),
    "sharer": ("admin", ["shares!user=sharer", "read:users:name!user=ada", "read:groups:name!group=readers"]),
    "sharer of one": ("admin", ["shares!server=sharer/", "read:users:name!user=ada"]),
    "share reader": ("admin", ["read:shares!user=sharer"]),
    "lab alone": ("admin", ["servers!server=srv-with-a-scope-for-one/lab"]),
    "ada's nothing": ("ada", ["read:users:name!user"]),
    "ada's reader": ("ada", ["read:users!user"]),
}
#: Services of both hubs' configuration, with their tokens: one may look around a little, one is an admin, one
#: has a URL where nothing answers.
SERVICES = {"caller": "1" * 32, "boss": "2" * 32, "board": "3" * 32}
NOBODY = "nobody"
STRANGER = "stranger"
_BROWSERS = ("ada's cookie", "ada's page", "ada's visit", "admin's visit")
WHO = ("admin", *PEOPLE, *TOKENS, *SERVICES, NOBODY, STRANGER, *_BROWSERS)


def config() -> str:
    """Return the configuration that both hubs run with."""
    services = [
        {"name": "caller", "api_token": SERVICES["caller"], "info": {"about": "calls"}},
        {"name": "boss", "api_token": SERVICES["boss"], "admin": True, "display": False},
        {"name": "board", "url": "http://127.0.0.1:1", "api_token": SERVICES["board"], "timeout": 1},
    ]
    scopes = ["list:users", "read:users:name!user", "access:services!service"]
    roles = [{"name": "looks-around", "scopes": scopes, "services": ["caller"]}]
    return f"""
c.JupyterHub.services = {services!r}
c.JupyterHub.load_roles = {roles!r}
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.allow_all = True
c.Authenticator.admin_users = {{'admin'}}
c.JupyterHub.spawner_class = 'obliging.ObligingSpawner'
c.JupyterHub.tornado_settings = {{'slow_spawn_timeout': 3, 'slow_stop_timeout': 5}}
c.JupyterHub.log_level = 'WARN'
c.CryptKeeper.keys = [32 * b'k']
c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = lambda handler: 3 if handler.current_user else 0
"""


class Side:
    """One of the two hubs."""

    def __init__(self, hub: HubProcess, stub: int) -> None:
        self.hub = hub
        self._prefix = hub.ports.base_url.rstrip("/")
        self._stub = stub
        self._tokens: dict[str, str] = {}
        self._cookies: dict[str, dict[str, str]] = {}
        self._connection = http.client.HTTPConnection("127.0.0.1", hub.ports.hub, timeout=30)

    def equip(self) -> None:
        """Make the people and tokens that the cases ask as."""
        base = f"http://127.0.0.1:{self.hub.ports.hub}{self._prefix}/"
        self._tokens = {STRANGER: "0" * 32, "admin": self.hub.token("admin"), **SERVICES}
        self._must(Ask("POST", "/users", body={"usernames": list(PEOPLE)}))
        for name in PEOPLE:
            self._tokens[name] = self._must(Ask("POST", f"/users/{name}/tokens"))["token"]
        for key, (owner, scopes) in TOKENS.items():
            body = {"scopes": scopes, "note": key}
            self._tokens[key] = self._must(Ask("POST", f"/users/{owner}/tokens", owner, body))["token"]
        for name in ("ada", "admin"):
            visitor = Visitor(base)
            assert visitor.log_in(name, PASSWORD, "/hub/home").status == 302
            visitor.get("hub/home")
            cookie = {"Cookie": visitor.cookie_header("hub/api/user")}
            xsrf = visitor.cookie("_xsrf", f"{self._prefix}/hub/")
            assert xsrf is not None
            self._cookies |= {
                f"{name}'s cookie": cookie,
                f"{name}'s page": cookie | {"X-XSRFToken": xsrf.value or ""},
                f"{name}'s visit": cookie | {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"},
            }

    def play(self, case: Case) -> list[Aspects]:
        """Return the replies to a case's requests."""
        kept = {"stub": str(self._stub)}
        return [self._ask_until(ask, kept) for ask in case.asks]

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _ask_until(self, ask: Ask, kept: dict[str, str]) -> Aspects:
        deadline = time.monotonic() + _PATIENCE
        while True:
            status, headers, body = self._send(ask, kept)
            found = aspects(status, headers, body)
            if ask.until is None or found.get(ask.until[0]) == ask.until[1] or time.monotonic() > deadline:
                for name, where in ask.keep.items():
                    kept[name] = _value_at(dict(headers), body, where)
                return found
            time.sleep(0.05)

    def _must(self, ask: Ask) -> Any:
        status, _, body = self._send(ask, {})
        assert status == 201, (
            f"{self.hub.system.name}: {ask.label}: {status} {body!r}\n{self.hub.log[-3000:]}"
        )
        return json.loads(body)

    def _send(self, ask: Ask, kept: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        path = self._prefix + (ask.path if ask.path.startswith("/hub") else f"/hub/api{ask.path}")
        headers = self._identity(ask.who) | {key: _fill(value, kept) for key, value in ask.headers.items()}
        body: bytes | None = None
        if ask.body is not NOTHING:
            body = ask.body if isinstance(ask.body, bytes) else json.dumps(ask.body).encode()
            body = _fill(body.decode("latin-1"), kept).encode("latin-1")
            headers = {"Content-Type": "application/json"} | headers
        try:
            return self._exchange(ask.method, _fill(path, kept), body, headers)
        except (ConnectionError, http.client.HTTPException):
            # A kept connection that the hub has closed meanwhile.
            self._connection.close()
            return self._exchange(ask.method, _fill(path, kept), body, headers)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        self._connection.request(method, path, body, headers)
        with self._connection.getresponse() as reply:
            return reply.status, reply.getheaders(), reply.read()

    def _identity(self, who: str) -> dict[str, str]:
        if who == NOBODY:
            return {}
        return self._cookies.get(who) or {"Authorization": f"token {self._tokens[who]}"}


class Pair:
    """JupyterHub and Carrel."""

    def __init__(self, theirs: Side, ours: Side) -> None:
        self.theirs = theirs
        self.ours = ours

    def play(self, case: Case) -> list[tuple[Aspects, Aspects]]:
        """Return both hubs' replies to a case, JupyterHub's first."""
        return list(zip(self.theirs.play(case), self.ours.play(case), strict=True))


@contextmanager
def open_pair(directory: Path, base_url: str = "/") -> Iterator[Pair]:
    """Yield both hubs below `base_url`, equipped; they and all that they started end with the block."""
    with ExitStack() as stack:
        port = stack.enter_context(_stub())
        hubs = [
            HubProcess(_equipped(system, port), directory / system.name, config(), base_url=base_url)
            for system in (jupyterhub(), carrel())
        ]
        for hub in hubs:
            stack.callback(hub.clean_up)
            hub.launch()
        sides = []
        for hub in hubs:
            hub.wait_ready()
            sides.append(Side(hub, port))
            stack.callback(sides[-1].close)
            sides[-1].equip()
        yield Pair(*sides)


def _equipped(system: System, port: int) -> System:
    path = [str(PLUGINS)]
    if system.is_carrel and os.environ.get("PYTHONPATH"):
        path.append(os.environ["PYTHONPATH"])
    added = {"PYTHONPATH": os.pathsep.join(path), "BESIDE_STUB_PORT": str(port)}
    return replace(system, environment={**system.environment, **added})


@contextmanager
def _stub() -> Iterator[int]:
    """Yield the port of a server that answers in the place of every user's."""
    port = free_port()
    process = subprocess.Popen([*STUB, str(port)])
    try:
        yield port
    finally:
        processes.end([process.pid])
        process.wait()


def _fill(value: str, kept: dict[str, str]) -> str:
    return Template(value).safe_substitute(kept)


def _value_at(headers: dict[str, str], body: bytes, where: str) -> str:
    """Return what a reply has at a dotted path or in its redirect, or a word that fits nothing."""
    if where.startswith("location?"):
        query = parse_qs(urlsplit(headers.get("Location", headers.get("location", ""))).query)
        return query.get(where.removeprefix("location?"), ["nothing-kept"])[0]
    try:
        value = json.loads(body)
        for key in where.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
    except (ValueError, LookupError, TypeError):
        return "nothing-kept"
    return str(value)
