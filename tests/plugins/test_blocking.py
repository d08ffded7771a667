"""Log-ins that keep whoever asks waiting: an LDAP server that never answers, and a password hash.

Covers ldapauthenticator against a server that accepts and says nothing, and an authenticator that is busy for
as long as it likes: others are answered meanwhile, who waits is told, and the hub stops when it is told to.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins, need_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.visitor import Reply

PLUGIN = "jupyterhub-ldapauthenticator"
LIMIT = 30.0

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@contextmanager
def silent_server() -> Iterator[tuple[int, threading.Semaphore]]:
    """Yield the port of a server that says nothing to anybody, and what counts who has come."""
    came, kept = threading.Semaphore(0), []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            try:
                while True:
                    kept.append(listener.accept()[0])
                    came.release()
            except OSError:
                return

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1], came
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for connection in kept:
                connection.close()


def ldap_config(port: int) -> str:
    return f"""
c.JupyterHub.authenticator_class = 'ldap'
c.LDAPAuthenticator.server_address = '127.0.0.1'
c.LDAPAuthenticator.server_port = {port}
c.LDAPAuthenticator.tls_strategy = 'insecure'
c.LDAPAuthenticator.bind_dn_template = ['uid={{username}},ou=people,dc=example,dc=org']
c.Authenticator.allow_all = True
"""


@pytest.fixture
def hanging(tmp_path: Path) -> Iterator[tuple[HubProcess, Future[Reply]]]:
    """A hub, and a log-in that its LDAP server does not answer."""
    need_plugins()
    with (
        silent_server() as (port, came),
        HubProcess(carrel_with_plugins(), tmp_path, ldap_config(port)) as hub,
        ThreadPoolExecutor(1) as aside,
    ):
        waiting = aside.submit(hub.visitor().log_in, "ada", "secret")
        assert came.acquire(timeout=LIMIT)
        yield hub, waiting


def test_a_silent_ldap_server_stops_nobody_else(hanging: tuple[HubProcess, Future[Reply]]) -> None:
    hub, waiting = hanging
    # All of this while the log-in is under way, which only its own limit ends.
    for _ in range(5):
        assert hub.answers()
        assert hub.visitor().get("hub/login").status == 200
    assert not waiting.done()
    told = waiting.result(timeout=60)
    assert (told.status, "took too long" in told.text) == (503, True)
    assert hub.answers()


def test_the_hub_stops_while_a_log_in_hangs(hanging: tuple[HubProcess, Future[Reply]]) -> None:
    hub, waiting = hanging
    assert hub.terminate(timeout=LIMIT) == 0
    assert waiting.result(timeout=LIMIT).status == 503


SLOW = """
from jupyterhub.auth import Authenticator

class Hashing(Authenticator):
    # As bcrypt does, and for longer: busy, with no await.
    async def authenticate(self, handler, data):
        import hashlib, os
        open('began', 'w').close()
        while not os.path.exists('go'):
            hashlib.scrypt(b'x', salt=b'y', n=2**14, r=8, p=1)
        handler.set_cookie('seen', handler.get_argument('extra', 'none'))
        return data['username']

c.JupyterHub.authenticator_class = Hashing
c.Authenticator.allow_all = True
"""


def test_a_password_hash_stalls_nobody_else(tmp_path: Path) -> None:
    need_plugins()
    with HubProcess(carrel_with_plugins(), tmp_path, SLOW) as hub, ThreadPoolExecutor(1) as aside:
        visitor = hub.visitor()
        waiting = aside.submit(visitor.log_in, "ada", "secret")
        until((tmp_path / "began").exists, "the hash to begin")
        for _ in range(5):
            assert hub.answers()
        assert not waiting.done()
        (tmp_path / "go").touch()
        assert waiting.result(timeout=LIMIT).location
        # What the authenticator set on the handler, from its thread, is in the answer.
        assert visitor.cookie("seen", "/") is not None
