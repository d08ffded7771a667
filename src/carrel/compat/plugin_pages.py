"""Where plug-ins answer: their handlers before the hub's own pages, and nothing where there are none."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from carrel.compat.database import PluginDatabase
from carrel.compat.facades import HubApp, HubFacade, Silence
from carrel.compat.form_handler import LazyHandler
from carrel.config.schema import BadConfig, Problem
from carrel.core.context import HubContext
from carrel.http.application import HubApplication, Parts
from carrel.http.imported_logins import brings_one, settle
from carrel.http.middleware import Receive, Send
from carrel.http.request import Scope, facts_of
from carrel.http.sessions import derive_key

if TYPE_CHECKING:
    from carrel.compat.tornado_bridge import Tornado

#: (pattern, class), (pattern, class, arguments) or (pattern, class, arguments, name)
Entry = tuple[Any, ...]
#: Settings of Tornado's that show visitors how a handler failed, or start the process anew.
_FOR_DEVELOPERS = frozenset({"autoreload", "debug", "serve_traceback"})
_log = logging.getLogger("carrel.compat")


def with_plugin_pages(ctx: HubContext, application: HubApplication) -> HubApplication | PluginPages:
    """Return the hub's application with the handlers of plug-ins in front; itself where there are none.

    All classes of plug-ins must be imported by now. Raises BadConfig for handlers that cannot be served.
    """
    app = HubApp.of(ctx)
    application.state.handlers = FormHandlers(ctx, app, application)
    found = [
        *(ctx.authenticator.get_handlers(app) or ()),
        *_announced("jupyterhub.handlers"),
        *_announced("jupyterhub.apihandlers"),
        *ctx.settings.extra_handlers,
    ]
    if not found:
        return application
    return PluginPages(ctx, app, application, [_below(ctx, entry) for entry in found])


def _announced(module: str) -> Sequence[Entry]:
    """Return what plug-ins have put into the list of a module, if any of them imported it."""
    loaded = sys.modules.get(module)
    return () if loaded is None else tuple(loaded.default_handlers)


def _below(ctx: HubContext, entry: Any) -> Entry:
    """Return a handler's entry with its pattern below /hub/; raises BadConfig for what is none."""
    if hasattr(entry, "handler_class"):
        # Tornado's own form of it.
        entry = (entry.regex.pattern.rstrip("$"), entry.handler_class, entry.kwargs, entry.name)
    pattern, *rest = entry if isinstance(entry, Sequence) and entry else (None,)
    if not isinstance(pattern, str) or not rest or not isinstance(rest[0], type):
        text = f"{entry!r:.120} is no handler: (pattern, class) or (pattern, class, arguments) is right"
        raise BadConfig([Problem("JupyterHub.extra_handlers", text)])
    return (f"{re.escape(ctx.settings.base_url)}hub/{pattern.lstrip('/')}", *rest)


class FormHandlers:
    """Makes the handlers that authenticators get with the hub's own form; all share one application."""

    def __init__(self, ctx: HubContext, app: HubApp, application: HubApplication) -> None:
        self._parts = (ctx, app, application)

    @cached_property
    def _tornado(self) -> Tornado:
        from carrel.compat.tornado_bridge import Tornado

        return Tornado([], **_settings(*self._parts, ()))

    def __call__(self, request: Request, body: bytes) -> LazyHandler:
        return LazyHandler(lambda: self._tornado, request, body)


class PluginPages:
    """An ASGI application: a Tornado application for the paths of plug-ins, and the hub's for all others."""

    def __init__(
        self, ctx: HubContext, app: HubApp, application: HubApplication, entries: Sequence[Entry]
    ) -> None:
        from carrel.compat.tornado_bridge import Bridge, Tornado

        self._application = application
        self._database = ctx.authenticator.db
        self._routes = [(re.compile(f"{entry[0].rstrip('$')}$"), _name(entry[1])) for entry in entries]
        directories = dict.fromkeys(_templates_of(entry[1]) for entry in entries)
        settings = _settings(ctx, app, application, [each for each in directories if each.is_dir()])
        self.tornado = Tornado(list(entries), **settings)
        self._bridge = Bridge(self.tornado)
        for entry in entries:
            _log.info("%s answers %s", _name(entry[1]), entry[0])

    @property
    def state(self) -> Parts:
        """What every request can reach."""
        return self._application.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = self._handler_of(scope) if scope["type"] == "http" else ""
        if not name:
            await self._application(scope, receive, send)
            return
        if brings_one(scope):
            scope, send = await settle(self.state.hub, scope, send)
        scope["app"], facts_of(scope).handler = self._application, name
        database = self._database
        with database.request() if isinstance(database, PluginDatabase) else nullcontext():
            await self._bridge(scope, receive, send)

    def _handler_of(self, scope: Scope) -> str:
        # As it was sent: Tornado decodes what its patterns find.
        path = facts_of(scope).raw_path
        return next((name for pattern, name in self._routes if pattern.match(path)), "")


def _name(handler: type) -> str:
    # What stands in a configuration file belongs to no module.
    return f"{handler.__module__ or 'configuration'}.{handler.__qualname__}"


def _templates_of(handler: type) -> Path:
    """Return where a plug-in usually keeps its templates: some say so only when a page is shown."""
    file = getattr(sys.modules.get(handler.__module__), "__file__", None) or "/"
    return Path(file).parent / "templates"


def _settings(
    ctx: HubContext, app: HubApp, application: HubApplication, directories: Sequence[Path]
) -> dict[str, Any]:
    """Return the settings of the Tornado application, under the names that handlers read."""
    from carrel.compat.templates import PluginTemplates

    base_url = ctx.settings.base_url
    hub = HubFacade.of(ctx.hub)
    pages = application.state.pages
    own = {name: value for name, value in app.tornado_settings.items() if name not in _FOR_DEVELOPERS}
    return own | {
        "app": app,
        "authenticator": ctx.authenticator,
        "base_url": base_url,
        "config": ctx.settings.plugins,
        "cookie_secret": derive_key(ctx.settings.cookie_secret, "cookies of plug-ins"),
        "db": ctx.authenticator.db,
        "hub": hub,
        "jinja2_env": None if pages is None else PluginTemplates(pages.environment, directories),
        "log": app.log,
        "login_url": f"{base_url}hub/login",
        "logout_url": f"{base_url}hub/logout",
        "spawner_class": ctx.spawner_class,
        "statsd": Silence(),
        "static_url_prefix": f"{base_url}hub/static/",
        "template_vars": dict(ctx.settings.template_vars),
        "xsrf_cookies": True,
    }
