"""Handlers as plug-ins write them, and a hub that serves them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tornado import gen, web

from carrel.authenticators.base import Authenticator
from carrel.compat.handlers.access import admin_only, authenticated_403, needs_scope
from carrel.compat.handlers.base import APIHandler, BaseHandler
from carrel.compat.handlers.login import LogoutHandler
from tests.http.hub import Hub, open_hub


class Redirecting(Authenticator):
    """Signs in by a handler of its own, as OAuth does."""

    allow_all = True
    login_service = "Elsewhere"
    answer: Any = "ada"

    async def authenticate(self, handler: Any, data: Mapping[str, Any] | None) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def get_handlers(self, app: Any) -> list[Any]:
        return [("/back", Back), ("logout", LogoutHandler)]

    def login_url(self, base_url: str) -> str:
        return f"{base_url}back"


class Back(BaseHandler):
    async def get(self) -> None:
        user = await self.login_user()
        if user is None:
            raise web.HTTPError(403, "Not you")
        self.redirect(self.get_next_url(user))


class Old(BaseHandler):
    """As plug-ins of long ago are written."""

    @gen.coroutine
    def get(self) -> Any:
        user = yield self.login_user()
        self.set_login_cookie(user)
        self.set_hub_cookie(user)
        self.statsd.timer("login").start().stop(send=False)
        html = self.render_template("error.html", status_code=200, status_message=f"Hello {user.name}")
        self.finish(html)


class RemoteUser(BaseHandler):
    """Believes a header, as plug-ins behind a proxy do."""

    def get(self) -> None:
        user = self.user_from_username(self.request.headers["Remote-User"])
        self.set_login_cookie(user)
        self.redirect(self.get_next_url(user))


class Who(BaseHandler):
    async def get(self) -> None:
        user = await self.get_current_user()
        assert user is self.current_user
        found = None if user is None else [user.name, user.admin, sorted(user.groups), user.url, user.kind]
        self.finish({"user": found})


class Guarded(BaseHandler):
    @needs_scope("admin:users")
    def get(self) -> None:
        self.finish("for admins")

    @needs_scope("read:users")
    async def post(self, user_name: str) -> None:
        self.finish(user_name)


class Onward(BaseHandler):
    """Sends people elsewhere, as a log-out does that ends at the provider's."""

    def post(self) -> None:
        self.redirect("https://provider.example/end?a=1&b=2")


class Administrators(BaseHandler):
    @admin_only
    def get(self) -> None:
        self.finish("for admins")

    @authenticated_403
    async def post(self) -> None:
        self.finish("for people")


class People(BaseHandler):
    def get(self, name: str) -> None:
        found = self.find_user(name)
        self.finish({"found": found and found.name, "known": name in self.users, "all": list(self.users)})

    def post(self, name: str) -> None:
        self.users.delete(name)
        self.finish("deleted")


class Authenticated(BaseHandler):
    @web.authenticated
    def get(self) -> None:
        self.finish(self.current_user.name)


class Page(BaseHandler):
    async def get(self) -> None:
        self.finish(await self.render_template("mine.html", own="<b>"))


class Start(APIHandler):
    """As batchspawner's: a server says where it is while it is being started."""

    @web.authenticated
    def post(self) -> None:
        token = self.get_auth_token()
        spawner = next(each for each in self.current_user.spawners.values() if each.api_token == token)
        spawner.port = self.get_json_body()["port"]
        self.finish({"message": "thanks"})
        self.set_status(201)


HANDLERS = [
    ("/old", Old),
    ("/remote", RemoteUser),
    ("/who", Who),
    ("/guarded", Guarded),
    (r"/guarded/(?P<user_name>.+)", Guarded),
    ("/admins", Administrators),
    ("/onward", Onward),
    ("/people/(.+)", People),
    ("/authenticated", Authenticated),
    ("/page", Page),
    ("/api/start", Start),
]


@asynccontextmanager
async def plugin_hub(
    directory: Path, authenticator: Authenticator | None = None, **settings: Any
) -> AsyncIterator[Hub]:
    settings = {"extra_handlers": HANDLERS, "db_url": "sqlite:///hub.sqlite"} | settings
    async with open_hub(directory, authenticator=authenticator, **settings) as hub:
        yield hub
