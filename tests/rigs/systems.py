"""The hubs that the rigs can run: Carrel, and JupyterHub itself to check the suite's expectations against."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.rigs.places import CACHE

JUPYTERHUB = CACHE / "jupyterhub-6"
CHP = CACHE / "chp" / "node_modules" / ".bin" / "configurable-http-proxy"


_LOWEST, _HIGHEST = 12_000, 32_000
_numbers = itertools.count(random.randrange(_HIGHEST - _LOWEST))


def free_port() -> int:
    """Return a loopback port that nobody listens on at this moment, another one at each call.

    Below the ports that the kernel gives to outgoing connections: one of those could take it first.
    """
    for number in _numbers:
        port = _LOWEST + number % (_HIGHEST - _LOWEST)
        with contextlib.suppress(OSError), socket.socket() as listener:
            listener.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the numbers do not end")


@dataclass(frozen=True, slots=True)
class Ports:
    """Where one hub listens."""

    public: int = field(default_factory=free_port)
    hub: int = field(default_factory=free_port)
    proxy_api: int = field(default_factory=free_port)
    base_url: str = "/"


@dataclass(frozen=True, slots=True)
class System:
    """One hub program."""

    name: str
    command: tuple[str, ...]
    """Starts it; `-f FILE` or a sub-command follows."""
    config: str = ""
    """Lines of configuration that only this program needs."""
    environment: Mapping[str, str] = field(default_factory=dict)
    is_carrel: bool = True

    def configuration(self, ports: Ports) -> str:
        """Return the head of a configuration file: `c`, the addresses, and what this program needs."""
        return (
            "c = get_config()\n"
            f"c.JupyterHub.bind_url = 'http://127.0.0.1:{ports.public}{ports.base_url}'\n"
            f"c.JupyterHub.hub_port = {ports.hub}\n"
            f"c.ConfigurableHTTPProxy.api_url = 'http://127.0.0.1:{ports.proxy_api}'\n"
            f"{self.config}\n"
        )


def carrel() -> System:
    """Return this checkout's Carrel, run by the interpreter that runs the tests."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return System("carrel", (sys.executable, "-m", "carrel"), environment={"PATH": path})


def jupyterhub() -> System:
    """Return JupyterHub 6.1 with configurable-http-proxy; `make bench` installs both."""
    path = os.pathsep.join([str(JUPYTERHUB / "bin"), os.environ.get("PATH", "")])
    return System(
        "jupyterhub",
        (str(JUPYTERHUB / "bin" / "jupyterhub"),),
        config=f"c.ConfigurableHTTPProxy.command = [{str(CHP)!r}]",
        environment={"PATH": path},
        is_carrel=False,
    )


def jupyterhub_with_carrel_proxy(config: str = "") -> System:
    """Return JupyterHub 6.1 with this checkout's data plane; `config` are more lines of configuration."""
    command = [sys.executable, "-m", "carrel.dataplane"]
    path = os.pathsep.join([str(JUPYTERHUB / "bin"), os.environ.get("PATH", "")])
    return System(
        "jupyterhub with carrel-proxy",
        (str(JUPYTERHUB / "bin" / "jupyterhub"),),
        config=f"c.ConfigurableHTTPProxy.command = {command!r}\n{config}",
        environment={"PATH": path},
        is_carrel=False,
    )


def under_test() -> System:
    """Return the hub that the suite runs: Carrel, or what CARREL_TEST_HUB names."""
    return {"carrel": carrel, "jupyterhub": jupyterhub}[os.environ.get("CARREL_TEST_HUB", "carrel")]()
