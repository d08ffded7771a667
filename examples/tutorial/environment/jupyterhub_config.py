"""A custom spawner, the exercise: a form for variables of the server's environment."""

import re
from html import escape

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import default

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the hub itself sets, and what decides which program runs.
NOT_YOURS = re.compile(r"(JUPYTERHUB|JPY|CARREL|LD)_|PYTHON|(PATH|HOME|USER|SHELL)$")


class EnvironmentFormSpawner(SimpleLocalProcessSpawner):
    @default("options_form")
    def _options_form(self):
        return f"""
        <label for="variables">Variables, one a line</label>
        <textarea id="variables" name="variables" rows="4">YOURNAME={escape(self.user.name)}</textarea>
        """

    def options_from_form(self, formdata):
        variables = {}
        for line in formdata.get("variables", [""])[0].splitlines():
            if not line.strip():
                continue
            name, equals, value = line.strip().partition("=")
            if not equals or not NAME.fullmatch(name):
                raise ValueError(f"{line.strip()!r} is not NAME=value")
            if NOT_YOURS.match(name):
                raise ValueError(f"{name} is set by the hub")
            variables[name] = value
        return {"environment": variables}

    def get_env(self):
        # The hub's own come last: no choice of a user replaces one of them.
        return {**self.user_options.get("environment", {}), **super().get_env()}


c = get_config()
c.JupyterHub.spawner_class = EnvironmentFormSpawner
c.JupyterHub.authenticator_class = "dummy"
