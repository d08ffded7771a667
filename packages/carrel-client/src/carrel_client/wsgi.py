"""Hub auth for WSGI: middleware for any application, and what the Flask adapter stands on."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from carrel_client.auth import Admitted, Answer, HubAuth, Request
from carrel_client.auth.exchange import form_xsrf
from carrel_client.loops import LoopThread

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LARGEST_FORM = 1024 * 1024
VISITOR = "carrel.visitor"
XSRF_TOKEN = "carrel.xsrf_token"  # noqa: S105 - the name, not the secret


class HubGate:
    """Asks a `HubAuth` from any thread."""

    def __init__(self, auth: HubAuth) -> None:
        self.auth = auth
        self._loop = LoopThread()

    def page(self, request: Request) -> Answer | None:
        """Return the answer of one of the log-in's own pages, None when the request is for another."""
        return self._loop.run(self.auth.page(request))

    def admit(self, request: Request, scopes: Collection[str] | None = None) -> Admitted | Answer:
        """Return the visitor behind a request, or the answer that it gets instead."""
        return self._loop.run(self.auth.admit(request, scopes))

    def close(self) -> None:
        """End the thread that asks the hub. May be repeated."""
        self._loop.close()


class HubMiddleware:
    """Only lets in whom the hub lets in, and answers the log-in's own pages.

    The application finds the `Visitor` as `environ["carrel.visitor"]` and the XSRF token for its forms as
    `environ["carrel.xsrf_token"]`. Paths in `public` (whole ones, with the prefix) need no log-in; there the
    visitor is None.
    """

    def __init__(self, app: WSGIApplication, auth: HubAuth, public: Collection[str] = ()) -> None:
        self._app = app
        self._gate = HubGate(auth)
        self._public = frozenset(public)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[VISITOR], environ[XSRF_TOKEN] = None, ""
        if _path(environ) in self._public:
            return self._app(environ, start_response)
        request = as_request(environ)
        decision = self._gate.page(request) or self._gate.admit(request)
        if isinstance(decision, Answer):
            return _answer(environ, start_response, decision)
        environ[VISITOR], environ[XSRF_TOKEN] = decision.visitor, decision.xsrf_token
        extra = [("Set-Cookie", cookie.header()) for cookie in decision.cookies]
        return self._app(environ, _with_headers(start_response, extra))


def as_request(environ: WSGIEnvironment, form: Callable[[], str] | None = None) -> Request:
    """Return what was asked; `form` gives its `_xsrf` field, by default a small form's body is read."""
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    path = quote(_path(environ), safe="/:@!$&'()*+,;=~")
    query = environ.get("QUERY_STRING", "")
    method = environ["REQUEST_METHOD"]
    changes = method not in {"GET", "HEAD", "OPTIONS"} and "cookie" in headers
    return Request(
        method=method,
        uri=f"{path}?{query}" if query else path,
        headers=headers,
        scheme=environ["wsgi.url_scheme"],
        form_xsrf=(form() if form else _form_xsrf(environ)) if changes else "",
    )


def _path(environ: WSGIEnvironment) -> str:
    raw = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return str(raw).encode("latin-1").decode(errors="replace")


def _form_xsrf(environ: WSGIEnvironment) -> str:
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    length = environ.get("CONTENT_LENGTH", "")
    if kind != "application/x-www-form-urlencoded" or not length.isdigit() or int(length) > _LARGEST_FORM:
        return ""
    body = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return form_xsrf(body)


def _answer(environ: WSGIEnvironment, start_response: StartResponse, answer: Answer) -> Iterable[bytes]:
    body = answer.body.encode()
    headers = [*answer.headers(), *(("Set-Cookie", cookie.header()) for cookie in answer.cookies)]
    status = HTTPStatus(answer.status)
    start_response(f"{status.value} {status.phrase}", [*headers, ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _with_headers(start_response: StartResponse, extra: list[tuple[str, str]]) -> StartResponse:
    def starting(status: str, headers: list[tuple[str, str]], *problem: Any) -> Callable[[bytes], object]:
        return start_response(status, [*headers, *extra], *problem)

    return starting
