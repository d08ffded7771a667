"""A custom spawner: a form for further words of the server's command line."""

import shlex

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import default


class DemoFormSpawner(LocalProcessSpawner):
    @default("options_form")
    def _options_form(self):
        default_env = "YOURNAME=%s\n" % self.user.name
        return """
        <label for="args">Extra notebook CLI arguments</label>
        <input name="args" placeholder="e.g. --debug"></input>
        """.format(env=default_env)

    def options_from_form(self, formdata):
        """Turn html formdata (always lists of strings) into the dict we want."""
        options = {}
        arg_s = formdata.get("args", [""])[0].strip()
        if arg_s:
            options["argv"] = shlex.split(arg_s)
        return options

    def get_argv(self):
        """Return arguments to pass to the notebook server"""
        argv = super().get_argv()
        if self.user_options.get("argv"):
            argv.extend(self.user_options["argv"])
        return argv

    def get_env(self):
        """Return environment variable dict"""
        env = super().get_env()
        return env


c = get_config()
c.JupyterHub.spawner_class = DemoFormSpawner
c.Authenticator.allow_all = True
