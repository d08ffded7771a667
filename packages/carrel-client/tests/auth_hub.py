"""A hub in memory for the tests of hub auth, and what browsers send."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit

from carrel_client.auth import Answer, HubAuth, HubRefused, HubSettings, HubUnreachable, Request, Visitor
from carrel_client.auth.exchange import Cookie
from carrel_client.auth.hub import HubClient

PREFIX = "/services/board/"
ACCESS = "access:services!service=board"
SETTINGS = HubSettings(
    api_token="the-services-own-token",
    api_url="http://hub.example/hub/api",
    client_id="service-board",
    prefix=PREFIX,
    callback_url=f"{PREFIX}oauth_callback",
    access_scopes=frozenset({ACCESS}),
)
VISIT = {"sec-fetch-mode": "navigate"}
SCRIPT = {"sec-fetch-mode": "cors"}


class MemoryHub(HubClient):
    """Knows some tokens; a code is the name of a token."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.away = False
        self.asked: list[str] = []
        self.exchanged: list[tuple[str, str]] = []
        self.known = {
            "a": Visitor("alice", frozenset({ACCESS})),
            "a2": Visitor("alice", frozenset({ACCESS})),
            "b": Visitor("bob", frozenset({"access:services!service=other"})),
        }

    async def visitor(self, token: str) -> Visitor | None:
        self.asked.append(token)
        if self.away:
            raise HubUnreachable("connection refused")
        return self.known.get(token)

    async def exchange(self, code: str, verifier: str) -> str:
        self.exchanged.append((code, verifier))
        if code not in self.known:
            raise HubRefused("the hub refused the log-in: invalid_grant")
        return code


def service(hub: MemoryHub, settings: HubSettings = SETTINGS) -> HubAuth:
    return HubAuth(settings, cookie_secret=b"secret of a test", hub=hub, now=lambda: 0.0)


class Browser:
    """Keeps cookies, and sends them with every request."""

    def __init__(self, auth: HubAuth) -> None:
        self.auth = auth
        self.jar: dict[str, str] = {}

    def request(
        self, path: str = "", method: str = "GET", *, websocket: bool = False, form: str = "", **headers: str
    ) -> Request:
        cookie = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(
            method, f"{PREFIX}{path}", {"cookie": cookie, **sent}, websocket=websocket, form_xsrf=form
        )

    def keep(self, cookies: Iterable[Cookie]) -> None:
        for cookie in cookies:
            self.jar.pop(cookie.name, None)
            if cookie.value:
                self.jar[cookie.name] = cookie.value

    async def begin(self, path: str = "") -> str:
        """Return the state of a log-in that begins with a visit."""
        answer = await self.auth.admit(self.request(path, sec_fetch_mode="navigate"))
        assert isinstance(answer, Answer)
        assert answer.status == 302
        self.keep(answer.cookies)
        return parse_qs(urlsplit(answer.location).query)["state"][0]

    async def finish(self, state: str, code: str) -> Answer:
        answer = await self.auth.page(self.request(f"oauth_callback?code={code}&state={state}"))
        assert answer is not None
        self.keep(answer.cookies)
        return answer

    async def log_in(self, token: str = "a") -> None:
        assert (await self.finish(await self.begin(), token)).location == PREFIX
