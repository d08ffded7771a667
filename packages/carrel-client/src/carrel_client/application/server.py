"""The server before the application: who asks, whether they may, and the two halves of each exchange."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import h11

from carrel_client.application.backend import Application, Unreachable
from carrel_client.application.gate import ApplicationAuth
from carrel_client.application.headers import BadPath, Rules, target_for, to_application, to_browser
from carrel_client.application.identity import identity_headers
from carrel_client.application.wire import Gone, Wire
from carrel_client.auth.exchange import Answer, Request, redirect, refusal
from carrel_client.auth.gate import Admitted
from carrel_client.auth.hub import VERSION_HEADER, Visitor
from carrel_client.auth.pages import Page

#: The release of JupyterHub whose wire contract this server speaks.
WIRE_VERSION = "6.1.1"
_IDLE = 75.0
#: One would turn the conversation into a tunnel, the other would show cookies to scripts.
_NO_METHODS = frozenset({"CONNECT", "TRACE"})
_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]+")
_log = logging.getLogger("carrel_client.application")


@dataclass(frozen=True, slots=True)
class Front:
    """Serves one application."""

    auth: ApplicationAuth
    application: Application
    rules: Rules
    key: str
    """What signs visitors' names."""
    used: Callable[[], None]
    """Called when a visitor does something."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over a connection, until it ends."""
        browser = Wire(h11.SERVER, reader, writer)
        try:
            while (
                await self._next(browser) and browser.http.our_state is browser.http.their_state is h11.DONE
            ):
                browser.http.start_next_cycle()
        except h11.RemoteProtocolError as problem:
            with contextlib.suppress(Gone, h11.LocalProtocolError):
                await _send(
                    browser, refusal(problem.error_status_hint, "This is no proper request."), close=True
                )
        except (Gone, TimeoutError):
            pass
        except Exception:
            _log.exception("A request failed")
        await browser.close()

    async def _next(self, browser: Wire) -> bool:
        """Answer one request; tell whether there may be another one."""
        async with asyncio.timeout(_IDLE):
            event = await browser.event()
        if not isinstance(event, h11.Request):
            return False
        request = as_request(event)
        decision = await self._judge(request)
        if isinstance(decision, Answer):
            # What it brings along is not read: who may not come in gets no more of our time.
            unread = browser.http.their_state is not h11.DONE and not isinstance(
                await _body_or_end(browser), h11.EndOfMessage
            )
            last = unread or decision.status == HTTPStatus.BAD_REQUEST
            await _send(browser, decision, close=last, head=event.method == b"HEAD")
            return not last
        self.used()
        return await self._forward(browser, event, request, decision)

    async def _judge(self, request: Request) -> Answer | Visitor:
        """Return who asks, or what they get instead of the application."""
        if not request.uri.startswith("/") or not _HOST.fullmatch(request.headers.get("host", "")):
            return refusal(400, "This is no path, or no host.")
        if request.method in _NO_METHODS:
            return refusal(400, "This method is not for applications.")
        if f"{request.path}/" == self.rules.prefix and request.is_page:
            # Where the log-in's cookie is not sent yet.
            return redirect(self.rules.prefix)
        decision = await self.auth.page(request) or await self.auth.admit(request)
        if not isinstance(decision, Admitted):
            return decision
        if not self.application.is_ready:
            return _starting(request, self.rules)
        return decision.visitor

    async def _forward(self, browser: Wire, asked: h11.Request, request: Request, visitor: Visitor) -> bool:
        token_used = request.authorization is not None
        in_url = not token_used and (request.websocket or self.auth.settings.allow_token_in_url)
        try:
            target = target_for(
                request.uri, self.rules, without_token=in_url and bool(request.argument("token"))
            )
            ours = identity_headers(visitor, self.key)
            if self.rules.identity_header:
                ours.append((self.rules.identity_header, ours[0][1]))
            ours.append(("X-Forwarded-Prefix", self.rules.prefix.rstrip("/") or "/"))
            application = Wire(h11.CLIENT, *await self.application.address.connect())
        except BadPath:
            await _send(browser, refusal(400, "This path is not clear."), close=True)
            return False
        except Unreachable as problem:
            _log.warning("The application does not answer: %s", problem)
            await _send(browser, _away(request, self.rules), close=True)
            return False
        headers = to_application(
            list(asked.headers), self.rules, ours, token_used=token_used, websocket=request.websocket
        )
        sending = h11.Request(method=asked.method, target=target, headers=headers)
        try:
            exchange = Exchange(browser, application, self.rules, self.application.address.origins, self.used)
            return await exchange.run(sending, watched=not request.websocket)
        finally:
            application.abort()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request that the application answers."""

    browser: Wire
    application: Wire
    rules: Rules
    origins: tuple[str, ...]
    """By which addresses the application may call itself."""
    used: Callable[[], None]

    async def run(self, sending: h11.Request, *, watched: bool) -> bool:
        """Hand the request and its answer on; tell whether the browser may ask for more on its connection.

        With `watched` an application stops working for a browser that has gone.
        """
        uploading = asyncio.create_task(self._upload(sending))
        answering = asyncio.create_task(self._answer())
        try:
            await asyncio.wait({uploading, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                if uploading.exception() is not None:
                    return False
                await self._until_answered(answering, watched=watched and uploading.result())
            whole = uploading.done() and uploading.exception() is None and uploading.result()
            return answering.done() and answering.result() and whole
        finally:
            for task in (uploading, answering):
                task.cancel()
            await asyncio.gather(uploading, answering, return_exceptions=True)

    async def _until_answered(self, answering: asyncio.Task[bool], *, watched: bool) -> None:
        """Return when the answer has been handed on, or nobody waits for it any more."""
        if not watched:
            await asyncio.wait({answering})
            return
        watching = asyncio.create_task(self.browser.until_gone())
        try:
            await asyncio.wait({watching, answering}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _upload(self, sending: h11.Request) -> bool:
        """Hand the request on; tell whether the application has taken all of it. Raises Gone."""
        if not await self._gave(sending):
            return False
        if self.browser.http.they_are_waiting_for_100_continue:
            await self.browser.send(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            event = await self.browser.event()
            if isinstance(event, h11.Data):
                if not await self._gave(h11.Data(data=event.data)):
                    return False
            elif isinstance(event, h11.EndOfMessage) or event is h11.PAUSED:
                return await self._gave(h11.EndOfMessage())

    async def _gave(self, event: h11.Event) -> bool:
        """Tell whether the application takes more: it may answer, and hang up, before it has read all."""
        try:
            await self.application.send(event)
        except Gone:
            return False
        return True

    async def _answer(self) -> bool:
        """Hand the answer on; tell whether it was whole."""
        begun = False
        try:
            while True:
                event = await self.application.event()
                if isinstance(event, h11.InformationalResponse):
                    if event.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                        return await self._switch(event)
                elif isinstance(event, h11.Response):
                    begun = True
                    await self.browser.send(self._as_shown(event))
                elif isinstance(event, h11.Data):
                    await self.browser.send(h11.Data(data=event.data))
                elif isinstance(event, h11.EndOfMessage):
                    await self.browser.send(h11.EndOfMessage())
                    return self.browser.http.our_state is h11.DONE
        except (Gone, h11.RemoteProtocolError) as problem:
            if not begun and self.browser.http.our_state is h11.SEND_RESPONSE:
                _log.warning("The application gave no answer: %s", problem)
                await _send(self.browser, refusal(502, "The application gave no answer."), close=True)
            return False

    def _as_shown(self, response: h11.Response) -> h11.Response:
        shown = to_browser(list(response.headers), self.rules, self.origins)
        shown.append((VERSION_HEADER.lower().encode(), WIRE_VERSION.encode()))
        return h11.Response(status_code=response.status_code, headers=shown, reason=response.reason)

    async def _switch(self, event: h11.InformationalResponse) -> bool:
        """Let the two sides talk as they like; they speak websocket from now on."""
        shown = to_browser(list(event.headers), self.rules, ())
        shown += [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        await self.browser.send(h11.InformationalResponse(status_code=101, headers=shown))

        def seen(data: bytes) -> None:
            # A ping or pong, alone in what came, is the browser's and not its user's.
            if not (len(data) <= 131 and data[0] & 0x0F in (9, 10)):
                self.used()

        sides = [
            asyncio.create_task(self.browser.pump_to(self.application, seen)),
            asyncio.create_task(self.application.pump_to(self.browser, lambda _: None)),
        ]
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
        return False


def as_request(event: h11.Request) -> Request:
    """Return what was asked, as the rules see it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in event.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        headers[name] = f"{headers[name]}{separator}{value}" if name in headers else value
    upgrade = headers.get("upgrade", "").strip().lower()
    connection = {part.strip().lower() for part in headers.get("connection", "").split(",")}
    return Request(
        method=event.method.decode("latin-1"),
        uri=event.target.decode("latin-1"),
        headers=headers,
        websocket=upgrade == "websocket" and "upgrade" in connection,
    )


async def _body_or_end(browser: Wire) -> object:
    """Return the first event after a request's head, as far as it has come with it."""
    event = browser.http.next_event()
    return event if event is not h11.NEED_DATA else None


async def _send(browser: Wire, answer: Answer, *, close: bool = False, head: bool = False) -> None:
    body = answer.body.encode()
    headers = [(name, value) for name, value in answer.headers()]
    headers += [("Set-Cookie", cookie.header()) for cookie in answer.cookies]
    headers += [(VERSION_HEADER, WIRE_VERSION), ("Content-Length", str(len(body)))]
    headers += [("Connection", "close")] if close else []
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    await browser.send(h11.Response(status_code=answer.status, headers=encoded))
    if body and not head:
        await browser.send(h11.Data(data=body))
    await browser.send(h11.EndOfMessage())


def _starting(request: Request, rules: Rules) -> Answer:
    text = "It will be here in a moment: this page looks again every two seconds."
    return _later(request, rules, Page(503, "The application is starting", text, rules.prefix, "Look now"))


def _away(request: Request, rules: Rules) -> Answer:
    text = "It runs, and takes no connections."
    return _later(
        request, rules, Page(502, "The application does not answer", text, rules.prefix, "Try again")
    )


def _later(request: Request, rules: Rules, page: Page) -> Answer:
    if not request.is_page:
        return refusal(page.status, f"{page.title}.")
    answer = page.answer()
    again = '<meta http-equiv="refresh" content="2">\n</head>'
    return Answer(answer.status, answer.body.replace("</head>", again, 1), answer.kind)
