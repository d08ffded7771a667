"""Asking one hub itself, past the data plane."""

from __future__ import annotations

from tests.replicas.rig import Replica
from tests.rigs.poll import until
from tests.rigs.singleusers import PASSWORD
from tests.rigs.visitor import Reply, Visitor

#: A change shows on every hub within a second; the machine that runs the tests may be slow.
SOON = 1.5


def ask(hub: Replica, method: str, path: str, head: dict[str, str], body: bytes | None = None) -> Reply:
    """Return what one hub itself answers."""
    headers = head | {"Content-Type": "application/json"}
    return Visitor(hub.hub_url).request(method, path, headers=headers, body=body)


def sign_in(hub: Replica, name: str) -> dict[str, str]:
    """Sign in at one hub and return the header that the browser sends from then on."""
    visitor = Visitor(hub.hub_url)
    assert visitor.log_in(name, PASSWORD).location
    return {"Cookie": visitor.cookie_header("/hub/")}


def answers(hub: Replica, status: int, path: str, head: dict[str, str], timeout: float = SOON) -> None:
    """Return when a hub answers a GET with `status`; raises TooLate."""
    until(lambda: ask(hub, "GET", path, head).status == status, f"{path} to answer {status}", timeout)
