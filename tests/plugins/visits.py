"""What every suite of an authenticator ends with: a server of the user's own, used through the proxy."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

from tests.rigs.hub import HubProcess
from tests.rigs.poll import until
from tests.rigs.visitor import Reply, Visitor


def trial_config(directory: Path) -> str:
    """Return the lines by which servers run as the hub's own account, each in a home below `directory`."""
    return f"""
c.JupyterHub.spawner_class = 'simple'
c.SimpleLocalProcessSpawner.home_dir_template = '{directory}/home/{{username}}'
c.Spawner.args = ['--allow-root']
"""


def start_use_stop(hub: HubProcess, visitor: Visitor, name: str) -> None:
    """Start the signed-in visitor's server, have it say whose it is, and stop it."""
    started = visitor.follow("hub/spawn")
    assert started.status == 200, started.text
    use_server(visitor, name)
    stop_server(visitor, name)


def use_server(visitor: Visitor, name: str) -> None:
    """Return when the server that is starting says that the visitor is `name`."""

    place = f"user/{quote(name, safe='@')}"

    def serves() -> Reply | None:
        visitor.follow(f"{place}/login")
        reply = visitor.get(f"{place}/api/me")
        return reply if reply.status == 200 and reply.headers.get_content_subtype() == "json" else None

    reply = until(serves, f"the server of {name} to answer", timeout=45, every=0.2)
    assert json.loads(reply.text)["identity"]["username"] == name


def stop_server(visitor: Visitor, name: str) -> None:
    """Stop the visitor's server by the button on their home page."""
    home = visitor.get("hub/home")
    reply = visitor.post_form(f"hub/stop/{quote(name, safe='@')}", {"_xsrf": visitor.xsrf_token(home)})
    assert reply.location, reply.text
    until(lambda: 'id="start"' in visitor.get("hub/home").text, f"the server of {name} to stop")


def who(visitor: Visitor) -> str:
    """Return the name of whoever is signed in, as the home page says it; empty when nobody is."""
    page = visitor.get("hub/home")
    shown = re.search(r'<span class="name">([^<]*)</span>', page.text)
    return shown[1] if page.status == 200 and shown else ""


def problem(reply: Reply) -> str:
    """Return what a page says in its alert, tags left out and spaces folded; empty when there is none."""
    found = re.search(r'<(\w+)[^>]*\brole="alert"[^>]*>(.*?)</\1>', reply.text, re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", found[2]).split()) if found else ""


def refusal(reply: Reply) -> str:
    """Return the text of a whole error page, on one line; raises AssertionError when it is none."""
    assert "<title>" in reply.text, reply.text
    assert "Traceback" not in reply.text
    main = re.search(r"<main\b.*</main>", reply.text, re.S)
    assert main, reply.text
    return " ".join(re.sub(r"<[^>]+>", " ", main[0]).split())
