"""The listener for plain HTTP beside one for HTTPS: it sends everybody there."""

from __future__ import annotations

import re
from dataclasses import dataclass

from carrel.dataplane.control_server import Call
from carrel.dataplane.replies import Reply

_HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\s:/?#@\\\[\]\"<>]+)(?::\d+)?")
_BAD = re.compile(r"[\x00-\x20\x7f-\xff\\]")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Leads to the same host and path on `port`."""

    port: int

    def answer(self, call: Call) -> Reply:
        """Return the redirect; 400 without a usable Host header or path."""
        host = _HOST.fullmatch(call.host)
        target = call.path + (f"?{call.query}" if call.query else "")
        if host is None or not target.startswith("/") or _BAD.search(target):
            return Reply(400)
        port = "" if self.port == 443 else f":{self.port}"
        return Reply(301, headers=(("Location", f"https://{host[1]}{port}{target}"),))
