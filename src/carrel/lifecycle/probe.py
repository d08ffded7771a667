"""Looking at a server over HTTP, and at this machine's ports when it does not answer."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from carrel import JUPYTERHUB_VERSION
from carrel.domain.causes.rule import End, Stage
from carrel.domain.failures import Evidence
from carrel.lib.httpclient import HttpError, Reply, send
from carrel.lib.listening import listeners, shares_network
from carrel.lib.process_table import environ_of, running
from carrel.lifecycle.readiness import NotReady

_VERSION_HEADER = "x-jupyterhub-version"
_SECONDS = 5.0
#: How long a look at another path may take: it holds up servers that are ready and have no such page.
_LOOK = 1.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_log = logging.getLogger("carrel.lifecycle")


@dataclass(frozen=True, slots=True)
class HttpProbe:
    """Looks at servers for one hub."""

    seconds: float = _SECONDS
    """How long one request may take."""

    async def __call__(self, url: str) -> bool:
        """Ask once; see `Probe`."""
        try:
            reply = await send("GET", url, seconds=self.seconds)
        except (TimeoutError, OSError):
            return False
        if reply.status == 404:
            elsewhere = await self._elsewhere(url)
            if elsewhere:
                facts = {"elsewhere": elsewhere}
                raise NotReady(Evidence(stage=Stage.READY, end=End.SILENT, facts=facts))
        if reply.status < 500:
            _compare_versions(url, reply.headers.get(_VERSION_HEADER, ""))
        return reply.status < 500

    async def examine(self, url: str, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return the facts `answered`, `reach`, `elsewhere`, `other` and `listens`, as far as they hold."""
        facts = await self._reach(url)
        if "answered" in facts:
            facts["elsewhere"] = await self._elsewhere(url)
        place = urlsplit(url)
        if _is_this_machine(place.hostname or ""):
            facts |= await asyncio.to_thread(_ports, place.port or 0, labels)
        return facts

    async def _reach(self, url: str) -> dict[str, str]:
        try:
            return {"answered": str((await send("GET", url, seconds=self.seconds)).status)}
        except HttpError:
            return {"reach": "garbage"}
        except TimeoutError:
            return {"reach": "timeout"}
        except socket.gaierror:
            return {"reach": "name"}
        except OSError as error:
            return {"reach": "refused" if isinstance(error, ConnectionRefusedError) else "lost"}

    async def _elsewhere(self, url: str) -> str:
        """Return the path of a Jupyter server that answers there and not below `url`'s, or nothing."""
        place = urlsplit(url)
        root, expected = f"{place.scheme}://{place.netloc}", place.path.removesuffix("api")
        try:
            front = await send("GET", f"{root}/", seconds=_LOOK)
            aim = urlsplit(front.headers.get("location", "")).path if front.status in _REDIRECTS else ""
            for path in dict.fromkeys((f"{aim.rstrip('/')}/", "/")):
                if path != expected and path.isascii() and path.isprintable():
                    reply = await send("GET", f"{root}{path}api", seconds=_LOOK)
                    if _is_jupyter(reply):
                        return path
        except (TimeoutError, OSError):
            pass
        return ""


def _is_jupyter(reply: Reply) -> bool:
    try:
        answer = json.loads(reply.body) if reply.status == 200 else None
    except ValueError:
        return False
    return isinstance(answer, dict) and "version" in answer


def _compare_versions(url: str, version: str) -> None:
    if not version:
        _log.debug("The server at %s does not say its version", url)
    elif version.partition(".")[0] != JUPYTERHUB_VERSION.partition(".")[0]:
        _log.warning(
            "The server at %s is made for JupyterHub %s and the hub for %s: not all will work",
            url,
            version,
            JUPYTERHUB_VERSION,
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ports(port: int, labels: Mapping[str, str]) -> dict[str, str]:
    """Return who else listens on a port, or on which ports the labelled processes listen instead.

    Nothing when none of them shares this machine's network: a container's port is taken by its forwarder.
    """
    own = {pid for pid in running() if labels and labels.items() <= environ_of(pid).items()}
    own = {pid for pid in own if shares_network(pid)}
    if not own:
        return {}
    there = listeners()
    at_port = [each for each in there if each.port == port]
    if any(each.pid in own for each in at_port):
        return {}
    if at_port:
        return {"other": f"{at_port[0].program}, process {at_port[0].pid}"}
    ports = sorted({each.port for each in there if each.pid in own})
    return {"listens": ", ".join(map(str, ports))} if ports else {}
