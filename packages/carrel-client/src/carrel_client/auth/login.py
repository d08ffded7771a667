"""The rules of a log-in through the hub: where it may lead, its state and its proof of possession."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import posixpath
import re
import secrets
from dataclasses import dataclass
from urllib.parse import unquote, urlencode, urlsplit

from carrel_client.auth.environment import HubSettings

PENDING_SECONDS = 600
_LONGEST_NEXT = 2000
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def safe_next(wanted: str, prefix: str) -> str:
    """Return `wanted` when it is a host-relative URL under `prefix`, else `prefix`.

    Decided on the path as a browser would request it, dot segments resolved, so that neither another host nor
    another user's server can be reached.
    """
    if _UNSAFE.search(wanted) or not wanted.startswith("/") or len(wanted) > _LONGEST_NEXT:
        return prefix
    try:
        url = urlsplit(wanted)
    except ValueError:
        return prefix
    path = unquote(url.path)
    if url.scheme or url.netloc or path.startswith("//") or _UNSAFE.search(path.replace(" ", "")):
        return prefix
    resolved = posixpath.normpath(path)
    return wanted if f"{resolved}/".startswith(unquote(prefix)) else prefix


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A log-in that a browser has begun: what its state cookie remembers."""

    state: str
    next_url: str

    @classmethod
    def begin(cls, next_url: str) -> PendingLogin:
        """Return a new log-in with an unguessable state; `next_url` must be safe already."""
        return cls(secrets.token_urlsafe(16), next_url)

    @classmethod
    def load(cls, text: str) -> PendingLogin | None:
        """Return what `dump` wrote, or None."""
        try:
            remembered = json.loads(text)
        except ValueError:
            return None
        if not isinstance(remembered, list) or len(remembered) != 2:
            return None
        return cls(*map(str, remembered))

    def dump(self) -> str:
        """Return this log-in as a cookie's value."""
        return json.dumps([self.state, self.next_url])

    def matches(self, state: str) -> bool:
        """Return whether the hub brought back the state of this log-in; takes the same time either way."""
        return hmac.compare_digest(self.state.encode(), state.encode())


class UsedStates:
    """The states of finished log-ins, remembered as long as their cookies could come back."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def use(self, state: str, now: float) -> bool:
        """Take `state`; return False when it was taken before."""
        self._until = {known: until for known, until in self._until.items() if until > now}
        if state in self._until:
            return False
        self._until[state] = now + PENDING_SECONDS
        return True


def authorize_url(settings: HubSettings, state: str, verifier: str) -> str:
    """Return where the browser goes to let the hub say who it is."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
    query = {
        "client_id": settings.client_id,
        "redirect_uri": settings.callback_url,
        "response_type": "code",
        "code_challenge": challenge.rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "state": state,
    }
    return f"{settings.hub_url}api/oauth2/authorize?{urlencode(query)}"
