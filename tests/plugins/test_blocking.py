"""Log-ins that keep whoever asks waiting: an LDAP server that never answers, and a password hash.

Others are answered meanwhile, and who waits is told in the end.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.plugins.environment import carrel_with_plugins
from tests.rigs.hub import HubProcess
from tests.rigs.poll import until

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


def test_who_waits_for_a_silent_server_is_told(tmp_path: Path) -> None:
    with (
        silent_server() as (port, came),
        HubProcess(carrel_with_plugins(), tmp_path, ldap_config(port)) as hub,
        ThreadPoolExecutor(1) as aside,
    ):
        # The hub gives a log-in half a minute, and who asks waits for longer: either might give up first.
        waiting = aside.submit(hub.visitor().log_in, "ada", "secret", timeout=2 * LIMIT)
        assert came.acquire(timeout=LIMIT)
        # All of this while the log-in is under way, which only its own limit ends.
        for _ in range(5):
            assert hub.answers()
        assert not waiting.done()
        told = waiting.result(timeout=3 * LIMIT)
        assert (told.status, "took too long" in told.text) == (503, True)
        assert hub.answers()


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
