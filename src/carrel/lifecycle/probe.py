"""Looking at a server over HTTP, and at this machine's ports when it does not answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
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
from carrel.lifecycle.evidence import NotReady

_VERSION_HEADER = "x-jupyterhub-version"
_SECONDS = 5.0
#: How long a look at another path may take: it holds up servers that are ready and have no such page.
_LOOK = 1.0
_PAGE = 16 * 1024
_PATH = re.compile(r"/[\w.~%@/-]{0,500}", re.ASCII)
_OWN_FILE = re.compile(r"""href=["'](/(?:[\w.~%@/-]{0,500}?/)?)static/(?:favicon|style)""", re.ASCII)
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
            elsewhere = await self._elsewhere(url, reply)
            if elsewhere:
                facts = {"elsewhere": elsewhere}
                raise NotReady(Evidence(stage=Stage.READY, end=End.SILENT, facts=facts))
        if reply.status < 500:
            _compare_versions(url, reply.headers.get(_VERSION_HEADER, ""))
        return reply.status < 500

    async def examine(self, url: str, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Return the facts `answered`, `reach`, `elsewhere`, `other` and `listens`, as far as they hold."""
        facts = await self._reach(url)
        place = urlsplit(url)
        if _is_this_machine(place.hostname or ""):
            facts |= await asyncio.to_thread(_ports, place.port or 0, labels)
        return facts

    async def _reach(self, url: str) -> dict[str, str]:
        try:
            reply = await send("GET", url, seconds=self.seconds)
            return {"answered": str(reply.status), "elsewhere": await self._elsewhere(url, reply)}
        except HttpError:
            return {"reach": "garbage"}
        except TimeoutError:
            return {"reach": "timeout"}
        except socket.gaierror:
            return {"reach": "name"}
        except OSError as error:
            return {"reach": "refused" if isinstance(error, ConnectionRefusedError) else "lost"}

    async def _elsewhere(self, url: str, reply: Reply) -> str:
        """Return the path of a Jupyter server that answers there and not below `url`'s, or nothing."""
        place = urlsplit(url)
        root, expected = f"{place.scheme}://{place.netloc}", place.path.removesuffix("api")
        try:
            front = await send("GET", f"{root}/", seconds=_LOOK)
            for path in dict.fromkeys((*_own_prefixes(reply), *_redirection(front), "/")):
                if path != expected and _is_jupyter(await send("GET", f"{root}{path}api", seconds=_LOOK)):
                    return path
        except (TimeoutError, OSError):
            pass
        return ""


def _own_prefixes(reply: Reply) -> list[str]:
    """Return where a Jupyter server's page for a wrong address says that its own files are."""
    found = _OWN_FILE.search(reply.body[:_PAGE].decode(errors="replace"))
    return [found[1]] if found else []


def _redirection(reply: Reply) -> list[str]:
    path = urlsplit(reply.headers.get("location", "")).path if reply.status in _REDIRECTS else ""
    return [f"{path.rstrip('/')}/"] if _PATH.fullmatch(path) else []


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
