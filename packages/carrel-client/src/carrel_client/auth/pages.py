"""The few pages that a server or service shows on the hub's account."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from carrel_client.auth.exchange import Answer

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto 0; padding: 0 1rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<p><a href="{url}">{link}</a></p>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A status and what it means to the person who reads it, with one way on."""

    status: int
    title: str
    text: str
    url: str
    link: str

    def answer(self) -> Answer:
        """Return the response that shows this page."""
        return Answer(self.status, _PAGE.format(**{name: escape(getattr(self, name)) for name in _TEXTS}))


_TEXTS = ("title", "text", "url", "link")


def no_access(visitor: str, owner: str, hub_url: str) -> Page:
    """Return the page for someone whom the hub knows but who may not use this server."""
    text = f"You are logged in as {visitor}, and this is {owner}'s server. Ask {owner} to share it with you."
    return Page(403, "You have no access to this server", text, f"{hub_url}home", "Go to your own server")


def no_service_access(visitor: str, service: str, hub_url: str) -> Page:
    """Return the page for someone whom the hub knows but who may not use this service."""
    text = f"You are logged in as {visitor}, who may not use {service}. Ask the hub's admins for access."
    return Page(403, "You have no access to this service", text, f"{hub_url}home", "Go to your own server")


def hub_away(again: str) -> Page:
    """Return the page for a visitor who cannot be identified because the hub does not answer."""
    text = "The hub that knows you does not answer. What runs here keeps running: try again soon."
    return Page(502, "The hub does not answer", text, again, "Try again")


def login_failed(reason: str, again: str, status: int = 403) -> Page:
    """Return the page for a log-in that ended without success."""
    return Page(status, "The log-in did not succeed", reason, again, "Log in again")


def login_goes_round(again: str) -> Page:
    """Return the page that ends a loop of log-ins which all succeed and leave nothing behind."""
    text = (
        "The hub has logged you in several times within a minute, but your browser does not send the log-in "
        "cookie back, or the hub does not accept it. Allow cookies for this site, or remove its old ones."
    )
    return Page(403, "The log-in goes round in circles", text, again, "Try once more")
