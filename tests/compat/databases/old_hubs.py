"""Real JupyterHubs, each used as a course uses it: people, tokens, browsers, running servers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.rigs import processes
from tests.rigs.hub import HubProcess
from tests.rigs.needs import need
from tests.rigs.places import CACHE
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD, STUB
from tests.rigs.systems import System
from tests.rigs.visitor import Visitor

#: What `dev/test.sh` installs, by major release.
RELEASES = {1: "1.5.1", 2: "2.3.1", 3: "3.1.1", 4: "4.1.6", 5: "5.*", 6: "6.1.1"}
ADMIN_TOKEN = "0123456789abcdef" * 2
SERVICE_TOKEN = "fedcba9876543210" * 2
CRYPT_KEY = "k" * 32
PEOPLE = ("ada", "bea", "cy")
SCOPES = ["list:users", "read:users:name"]
SHARING = ["shares!user", "read:users:name", "read:groups:name"]


@dataclass(slots=True)
class World:
    """What an old hub's people have: whatever of it came along must still work."""

    release: int
    directory: Path
    tokens: dict[str, str] = field(default_factory=dict)
    """API tokens by what is special about them; all are ada's but `admin` and `service`."""
    pids: dict[str, int] = field(default_factory=dict)
    """Ada's servers by name."""
    browser: Visitor = field(default_factory=lambda: Visitor(""))
    """Ada's, signed in at the hub."""
    visiting: str = ""
    """The token that ada's default server got for her browser."""
    share_code: str = ""

    def environment(self, server: str) -> dict[str, str]:
        """Return what one of ada's servers was started with."""
        return processes.environment(self.pids[server])


def system(release: int) -> System:
    """Return a release of JupyterHub behind this checkout's data plane; skips what is not installed."""
    directory = CACHE / f"jupyterhub-{release}"
    program = directory / "bin" / "jupyterhub"
    need(program.exists(), f"JupyterHub {RELEASES[release]} ({program})")
    path = os.pathsep.join([str(directory / "bin"), os.environ.get("PATH", "")])
    return System(
        f"jupyterhub {release}",
        (str(program),),
        config=f"c.ConfigurableHTTPProxy.command = {[sys.executable, '-m', 'carrel.dataplane']!r}\n",
        environment={"PATH": path, "JUPYTERHUB_CRYPT_KEY": CRYPT_KEY, "CONFIGPROXY_AUTH_TOKEN": "x" * 32},
        is_carrel=False,
    )


def common_config(directory: Path, release: int) -> str:
    """Return the lines that mean the same to JupyterHub of a release and to Carrel."""
    homes = directory / "home"
    homes.mkdir(parents=True, exist_ok=True)
    lines = f"""
c.JupyterHub.authenticator_class = 'dummy'
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.admin_users = {{'admin'}}
c.Authenticator.enable_auth_state = True
c.JupyterHub.spawner_class = 'simple'
c.SimpleLocalProcessSpawner.home_dir_template = '{homes}/{{username}}'
c.Spawner.cmd = {list(STUB)!r}
c.JupyterHub.allow_named_servers = True
c.JupyterHub.cleanup_servers = False
c.JupyterHub.load_groups = {{'readers': ['ada', 'bea']}}
c.JupyterHub.services = [{{'name': 'reader', 'api_token': {SERVICE_TOKEN!r}}}]
c.JupyterHub.api_tokens = {{{ADMIN_TOKEN!r}: 'admin'}}
"""
    if release >= 2:
        roles = [
            {
                "name": "teacher",
                "scopes": ["list:users", "read:users:name"],
                "users": ["bea"],
                "groups": ["readers"],
            },
            {"name": "looks", "scopes": SCOPES, "services": ["reader"]},
            {
                "name": "user",
                "scopes": ["self", "shares!user", "read:users:name", "read:groups:name"][
                    : 4 if release >= 5 else 1
                ],
            },
        ]
        lines += f"c.JupyterHub.load_roles = {roles!r}\n"
    if release >= 5:
        lines += "c.Authenticator.allow_all = True\n"
    return lines


_KEEPING = """
from jupyterhub.auth import DummyAuthenticator
from jupyterhub.spawner import SimpleLocalProcessSpawner

class KeepingAuthenticator(DummyAuthenticator):
    async def authenticate(self, handler, data):
        name = data["username"]
        return {"name": name, "auth_state": {"upstream": f"token of {name}"}}

class StubSpawner(SimpleLocalProcessSpawner):
    def get_args(self):
        return [str(self.port)]

c.JupyterHub.authenticator_class = KeepingAuthenticator
c.JupyterHub.spawner_class = StubSpawner
c.JupyterHub.cleanup_proxy = True
"""


def old_hub(release: int, directory: Path, more: str = "") -> HubProcess:
    """Return a hub of a release, not started yet."""
    return HubProcess(system(release), directory, common_config(directory, release) + _KEEPING + more)


@contextmanager
def lived_in(release: int, directory: Path, more: str = "") -> Iterator[tuple[HubProcess, World]]:
    """Yield a hub that has been used and was stopped; its people's servers run until the block ends."""
    hub = old_hub(release, directory, more)
    with hub:
        world = live(hub, release)
        assert hub.terminate() == 0, hub.log[-3000:]
        yield hub, world


def live(hub: HubProcess, release: int) -> World:
    """Use a hub as people do, and return what they have from it."""
    world = World(release, hub.directory)
    world.tokens |= {"admin": ADMIN_TOKEN, "service": SERVICE_TOKEN}
    for name in PEOPLE:
        hub.api("POST", f"users/{name}", token=ADMIN_TOKEN)
    world.tokens["plain"] = _token(hub, {"note": "plain"})
    world.tokens["expiring"] = _token(hub, {"note": "for a week", "expires_in": 7 * 86400})
    if release >= 3:
        world.tokens["scoped"] = _token(hub, {"note": "scoped", "scopes": ["read:users:name!user=ada"]})
    elif release == 2:
        world.tokens["scoped"] = _token(hub, {"note": "scoped", "roles": ["server"]})
    if release >= 4:
        must(hub, "PUT", "groups/readers/properties", {"floor": 3})
    world.browser = Visitor(hub.public_url)
    assert world.browser.log_in("ada", PASSWORD, "/hub/home").status == 302
    must(hub, "POST", "users/ada/server", {"size": "small"})
    must(hub, "POST", "users/ada/servers/gpu", {"size": "large"})
    until(lambda: _ready(hub) == {"", "gpu"}, "both servers to be ready", timeout=60, every=0.2)
    for name in ("", "gpu"):
        world.pids[name] = _pid(hub, name)
    world.visiting = visit(hub, world)
    if release >= 5:
        must(hub, "POST", "shares/ada/", {"user": "bea", "scopes": ["access:servers!server=ada/"]})
        must(hub, "POST", "shares/ada/gpu", {"group": "readers"})
        world.share_code = must(hub, "POST", "share-codes/ada/gpu", {})["code"]
    return world


def visit(hub: HubProcess, world: World) -> str:
    """Return the token with which ada's default server knows her browser, got as the server does."""
    environment = world.environment("")
    client = environment["JUPYTERHUB_CLIENT_ID"]
    callback = environment["JUPYTERHUB_OAUTH_CALLBACK_URL"]
    query = urlencode({"client_id": client, "redirect_uri": callback, "response_type": "code", "state": "s"})
    answer = world.browser.get(f"hub/api/oauth2/authorize?{query}")
    code = parse_qs(urlsplit(answer.location).query)["code"][0]
    form = {
        "client_id": client,
        "client_secret": environment["JUPYTERHUB_API_TOKEN"],
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": callback,
    }
    reply = Visitor(hub.public_url).post_form("hub/api/oauth2/token", form)
    assert reply.status == 200, reply.text
    return str(reply.json()["access_token"])


def must(hub: HubProcess, method: str, path: str, body: Mapping[str, Any]) -> Any:
    """Return what the API says to the administrator, which must be no error."""
    reply = hub.api(method, path, token=ADMIN_TOKEN, body=json.dumps(body).encode())
    assert reply.status < 300, f"{method} {path}: {reply.status} {reply.text}"
    return reply.json() if reply.body else None


def _token(hub: HubProcess, body: Mapping[str, Any]) -> str:
    return str(must(hub, "POST", "users/ada/tokens", body)["token"])


def _ready(hub: HubProcess) -> set[str]:
    servers = hub.api("GET", "users/ada", token=ADMIN_TOKEN).json()["servers"]
    return {name for name, server in servers.items() if server["ready"]}


def _pid(hub: HubProcess, server: str) -> int:
    [pid] = [
        pid for pid in hub.servers() if processes.environment(pid).get("JUPYTERHUB_SERVER_NAME", "") == server
    ]
    return pid
