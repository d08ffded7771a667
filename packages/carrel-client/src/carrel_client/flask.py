"""Hub auth for Flask: a decorator for views, and the log-in's own pages."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import flask

from carrel_client.auth import Answer, HubAuth, Visitor
from carrel_client.auth.exchange import XSRF_NAME
from carrel_client.wsgi import HubGate, as_request

View = TypeVar("View", bound=Callable[..., Any])


class HubLogin:
    """Lets people in to views of one Flask application.

    >>> hub = HubLogin(app, HubAuth.from_environment())
    >>> @app.get(f"{hub.prefix}")
    ... @hub.required
    ... def home(): return f"Hello {hub.visitor.name}"

    Templates find the visitor as `g.hub_visitor` and what a form has to send as `_xsrf` as `g.hub_xsrf`. To
    guard a whole application without naming each view, use `carrel_client.wsgi.HubMiddleware` instead.
    """

    def __init__(self, app: flask.Flask, auth: HubAuth) -> None:
        self._gate = HubGate(auth)
        self.prefix = auth.settings.prefix
        for path in (auth.login_path, auth.logout_path, auth.settings.callback_path):
            app.add_url_rule(path, f"hub {path}", self._page)
        app.after_request(_set_cookies)

    @property
    def visitor(self) -> Visitor:
        """Return who is here; within a view that requires it."""
        visitor: Visitor = flask.g.hub_visitor
        return visitor

    def required(self, view: View) -> View:
        """Return a view that only those with the service's access scopes reach."""
        return self.requires(None)(view)

    def requires(self, scopes: Collection[str] | None) -> Callable[[View], View]:
        """Return a decorator for views that only those reach who hold one of `scopes`."""

        def decorate(view: View) -> View:
            @functools.wraps(view)
            def guarded(*args: Any, **kwargs: Any) -> Any:
                answer = self._admit(scopes)
                return answer or flask.current_app.ensure_sync(view)(*args, **kwargs)

            return guarded  # type: ignore[return-value]  # wraps keeps the view's own type

        return decorate

    def _admit(self, scopes: Collection[str] | None) -> flask.Response | None:
        request = as_request(flask.request.environ, lambda: flask.request.form.get(XSRF_NAME, ""))
        decision = self._gate.admit(request, scopes)
        if isinstance(decision, Answer):
            return _response(decision)
        flask.g.hub_visitor, flask.g.hub_xsrf = decision.visitor, decision.xsrf_token
        flask.g.hub_cookies = decision.cookies
        return None

    def _page(self) -> flask.Response:
        answer = self._gate.page(as_request(flask.request.environ))
        return flask.abort(404) if answer is None else _response(answer)


def _response(answer: Answer) -> flask.Response:
    response = flask.Response(answer.body, answer.status, dict(answer.headers()))
    for cookie in answer.cookies:
        response.headers.add("Set-Cookie", cookie.header())
    return response


def _set_cookies(response: flask.Response) -> flask.Response:
    for cookie in flask.g.get("hub_cookies", ()):
        response.headers.add("Set-Cookie", cookie.header())
    return response
