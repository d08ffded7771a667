"""What is asked, and what it may cost the hub."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

from bench.api.client import Answer, Client, Errand
from bench.population import Size, name_of, spread
from tests.rigs.singleusers import PASSWORD

_FIELD = re.compile(rb'name="_xsrf"[^>]*?value="([^"]*)"|value="([^"]*)"[^>]*?name="_xsrf"')


@dataclass(frozen=True, slots=True)
class World:
    """What a hub's database holds, as far as clients need it."""

    size: Size
    first: int
    """The first user's id."""
    token: str
    """An admin's."""
    own: dict[str, str] = field(default_factory=dict)
    """Some users' own tokens, by user."""

    @property
    def ids(self) -> range:
        return range(self.first, self.first + self.size.users)


@dataclass(frozen=True, slots=True)
class Case:
    """One errand, what of the hub's CPU it may take in milliseconds, and how long at most in 99 of 100 cases.

    The second is for a hundred thousand users and eight clients at once.
    """

    name: str
    title: str
    errand: Callable[[World], Errand]
    budget: float | None = None
    slowest: float | None = None
    public: bool = False
    """It goes through the proxy, as a browser does."""


def _asking(paths: Callable[[World, Client], str], *, signed: bool = True) -> Callable[[World], Errand]:
    """Return an errand that asks for a path with the admin's token, and expects 200."""

    def bind(world: World) -> Errand:
        token = world.token if signed else ""

        async def errand(client: Client) -> None:
            _expect(200, await client.ask("GET", paths(world, client), token=token))

        return errand

    return bind


def _path(path: str) -> Callable[[World, Client], str]:
    return lambda world, client: f"/hub/api{path}"


def _somebody(world: World, client: Client) -> str:
    return f"/hub/api/users/{name_of(client.chance.choice(world.ids))}"


def _some_page(world: World, client: Client) -> str:
    return f"/hub/api/users?limit=200&offset={client.chance.randrange(world.size.users - 200)}"


def _last_page(world: World, client: Client) -> str:
    return f"/hub/api/users?limit=50&offset={world.size.users - 50}"


def _search(world: World, client: Client) -> str:
    """Search for what somebody types: the beginning, the end or the middle of a name, or what nobody has."""
    name = name_of(client.chance.choice(world.ids)) + "x" * (client.chance.random() < 0.1)
    length = client.chance.randint(2, len(name))
    begin = client.chance.randint(0, len(name) - length)
    return f"/hub/api/users?name_filter={name[begin : begin + length]}"


def _own_user(world: World) -> Errand:
    tokens = list(world.own.values())

    async def errand(client: Client) -> None:
        _expect(200, await client.ask("GET", "/hub/api/user", token=client.chance.choice(tokens)))

    return errand


def _activity(world: World) -> Errand:
    running = spread(world.ids, world.size.running)

    async def errand(client: Client) -> None:
        moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        body = {"last_activity": moment, "servers": {"": {"last_activity": moment}}}
        path = f"/hub/api/users/{name_of(client.chance.choice(running))}/activity"
        _expect(200, await client.ask("POST", path, token=world.token, body=body))

    return errand


def _new_token(world: World) -> Errand:
    async def errand(client: Client) -> None:
        path = f"{_somebody(world, client)}/tokens"
        body = {"note": "bench", "expires_in": 3600}
        _expect(201, await client.ask("POST", path, token=world.token, body=body))

    return errand


def _log_in(world: World) -> Errand:
    """Look at the form, send it, and arrive on the home page: each time a browser that has no cookies."""

    async def errand(client: Client) -> None:
        client.leave()
        cookies: dict[str, str] = {}
        form = await client.ask("GET", "/hub/login?next=%2Fhub%2Fhome")
        _expect(200, form)
        _take_cookies(cookies, form)
        found = _FIELD.search(form.body)
        xsrf = (found[1] or found[2]).decode() if found else cookies["_xsrf"]
        name = name_of(client.chance.choice(world.ids))
        sent = urlencode({"username": name, "password": PASSWORD, "_xsrf": xsrf}).encode()
        headers = "Content-Type: application/x-www-form-urlencoded\r\n" + _cookie_line(cookies)
        reply = await client.ask("POST", "/hub/login?next=%2Fhub%2Fhome", body=sent, headers=headers)
        _expect(302, reply)
        _take_cookies(cookies, reply)
        _expect(200, await client.ask("GET", "/hub/home", headers=_cookie_line(cookies)))

    return errand


def _take_cookies(cookies: dict[str, str], answer: Answer) -> None:
    for line in answer.header("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        cookies[name] = value


def _cookie_line(cookies: dict[str, str]) -> str:
    return "Cookie: " + "; ".join(f"{name}={value}" for name, value in cookies.items()) + "\r\n"


def _expect(status: int, answer: Answer) -> None:
    assert answer.status == status, f"{answer.status} instead of {status}: {answer.body[:500]!r}"


async def make_token(client: Client, world: World, name: str) -> str:
    """Return a new token of a user, made by the admin."""
    path = f"/hub/api/users/{name}/tokens"
    answer = await client.ask("POST", path, token=world.token, body={"note": "bench"})
    _expect(201, answer)
    return str(json.loads(answer.body)["token"])


CASES = (
    Case("root", "GET /", _asking(_path("/"), signed=False)),
    Case("user", "GET /user, one token", _asking(_path("/user")), budget=0.3),
    Case("own-user", "GET /user, 300 users' own tokens", _own_user),
    Case("somebody", "GET /users/NAME, any user", _asking(_somebody), budget=0.4),
    Case("page-50", "GET /users?limit=50", _asking(_path("/users?limit=50"))),
    Case("last-page", "GET /users?limit=50, the last page", _asking(_last_page)),
    Case("page-200", "GET /users?limit=200", _asking(_path("/users?limit=200")), budget=4, slowest=50),
    Case("some-page", "GET /users?limit=200, any page", _asking(_some_page), slowest=50),
    Case("search", "GET /users?name_filter=PART", _asking(_search), slowest=50),
    Case("active", "GET /users?state=active", _asking(_path("/users?state=active")), slowest=50),
    Case("activity", "POST /users/NAME/activity", _activity, budget=0.4),
    Case("tokens", "POST /users/NAME/tokens", _new_token, budget=1.5),
    Case("log-in", "log-in: form, answer, home page", _log_in, budget=3, public=True),
)
