"""Pages of handlers: the hub's templates and variables, its error pages, and where to go next."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from tornado.httputil import url_concat
from tornado.web import HTTPError

from carrel.authenticators.login import own_words
from carrel.compat.handlers.cookies import StaleRequest
from carrel.compat.handlers.people import PeopleMixin
from carrel.http.csrf import set_xsrf
from carrel.http.errors import answer
from carrel.http.next_urls import default_page, wanted_next
from carrel.http.request import header

_ONWARD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>One moment</title>
<meta http-equiv="refresh" content="0;url={url}"></head>
<body><p><a href="{url}">Continue</a></p></body></html>
"""


class Page(str):
    """A page, as text and as what can be awaited: plug-ins of either kind get their page."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, str]:
        yield from ()
        return str(self)


class PagesMixin(PeopleMixin):
    """Rendering, errors, and redirects after the log-in."""

    async def prepare(self) -> None:
        """Look up who asks, and what every page shows to them."""
        await super().prepare()
        await self._pages.prepare(self._visit)

    @property
    def template_namespace(self) -> dict[str, Any]:
        """The variables of every page."""
        return self._pages.variables(self._visit, "")

    def render_template(self, name: str, sync: bool = False, **values: Any) -> Page:
        """Return a page made of a template, with the hub's variables and `values`; it may be awaited."""
        templates = self.settings["jinja2_env"]
        if templates.is_plugins(name):
            self._facts.deployers = templates.policy
            values.setdefault("overridden", True)
        variables = self._pages.variables(self._visit, name, **values)
        set_xsrf(self._reply.own, self._visit, variables["xsrf"])
        return Page(templates.get_template(name).render(variables))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error as the hub does: its page, or JSON below /hub/api."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        retry = isinstance(error, StaleRequest)
        response = answer(Request(self._reply.scope), status_code, self._told(error), retry=retry)
        for name, value in dict(getattr(error, "headers", None) or {}).items():
            self.set_header(name, value)
        self.set_header("Content-Type", response.headers["content-type"])
        self.finish(bytes(response.body))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log what a handler raised, unless that was said when the log-in was refused."""
        if self._refusal is not None and self._refusal.cause is value:
            return
        if isinstance(value, HTTPError):
            self.log.warning("Request %s: %d %s", self._facts.id, value.status_code, message_of(value) or "")
        else:
            self.log.error("Request %s failed", self._facts.id, exc_info=(typ, value, tb))

    def _told(self, error: BaseException | None) -> str | None:
        """Return what people are told of an error: of the authenticator's, nothing secret that they sent."""
        refusal = self._refusal
        return refusal.reason_for_page if refusal and refusal.cause is error else message_of(error)

    def get_login_url(self) -> str:
        """Return where people sign in."""
        return str(self.settings["login_url"])

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Send the visitor on; the arguments are Tornado's.

        From a form of the hub's pages to another site it is a page that does so: browsers hold a form to the
        page's policy also where its answer leads on to, and the policy knows no other sites.
        """
        target, origin = urlsplit(url), urlsplit(header(self._visit, "origin"))
        host = self.request.host
        if self.request.method == "POST" and origin.netloc == host and target.netloc not in {"", host}:
            self.finish(_ONWARD.format(url=escape(url)))
        else:
            super().redirect(url, permanent, status)

    # -- where to go ---------------------------------------------------------------------------------------

    def get_next_url(self, user: Any = None, default: str | None = None) -> str:
        """Return where the visitor goes after the log-in: where they wanted to, or `default`, or their page.

        What leads away from the hub counts as if nothing had been wanted.
        """
        wanted = wanted_next(self._ctx, self._visit, self.get_argument("next", ""))
        if wanted:
            return wanted
        return self.append_query_parameters(
            default or default_page(self._ctx, None), exclude=["next", "_xsrf"]
        )

    def append_query_parameters(self, url: str, exclude: Iterable[str] | None = None) -> str:
        """Return `url` with this request's arguments, but for those to `exclude` (`next`)."""
        left_out = {"next"} if exclude is None else set(exclude)
        arguments = [pair for pair in parse_qsl(self.request.query) if pair[0] not in left_out]
        return url_concat(url, arguments) if arguments else url


def message_of(error: BaseException | None) -> str | None:
    """Return what an error tells people; None for one that was not made for them."""
    own = getattr(error, "jupyterhub_message", None)
    if own:
        return str(own)
    return own_words(error) if isinstance(error, HTTPError) else None
