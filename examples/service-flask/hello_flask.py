"""A service on Flask: a page with a form and an API, for whom the hub admits."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, redirect, render_template_string, request
from werkzeug.wrappers import Response

from carrel_client.auth import HubAuth
from carrel_client.flask import HubLogin

PAGE = """
<h1>{{ text }}, {{ g.hub_visitor.display_name }}</h1>
<form method="post"><input type="hidden" name="_xsrf" value="{{ g.hub_xsrf }}">
<input name="greeting"><button>Change</button></form>
<a href="{{ prefix }}logout">Log out</a>
"""
greeting = {"text": "Hello"}

app = Flask(__name__)
hub = HubLogin(app, HubAuth.from_environment())


@app.get(hub.prefix)
@hub.required
def page() -> str:
    return render_template_string(PAGE, text=greeting["text"], prefix=hub.prefix)


@app.post(hub.prefix)
@hub.required
def change() -> Response:
    greeting["text"] = request.form["greeting"]
    return redirect(hub.prefix, 303)


@app.get(f"{hub.prefix}api/me")
@hub.required
def me() -> dict[str, Any]:
    return {"name": hub.visitor.name, "groups": hub.visitor.groups}


@app.get(f"{hub.prefix}health")
def health() -> str:
    return "well"


if __name__ == "__main__":
    # For more than a try, serve `app` with a WSGI server such as gunicorn or waitress.
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app.run(url.hostname, url.port, threaded=True)
