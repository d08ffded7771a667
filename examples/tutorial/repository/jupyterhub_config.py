"""A custom spawner, for extra credit: a form for a git repository, cloned for the user at the start."""

from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import List, Unicode, default

# Runs as the user, before their server and in its place: $0 and "$@" are the server's command.
# What git says when it fails is shown to the user, for it is the end of the server's log.
CLONE = """
if [ -n "$REPOSITORY" ]; then
  directory=$(basename "$REPOSITORY" .git)
  [ -d "$directory" ] || git clone --depth 1 -- "$REPOSITORY" "$directory" || exit 1
fi
exec "$0" "$@"
"""


class RepositorySpawner(SimpleLocalProcessSpawner):
    sources = List(Unicode(), ["https://github.com/"], help="How addresses may begin.").tag(config=True)

    @default("options_form")
    def _options_form(self):
        return """
        <label for="repository">Repository to work on</label>
        <input id="repository" name="repository" type="text" placeholder="https://github.com/OWNER/NAME">
        """

    def options_from_form(self, formdata):
        address = formdata.get("repository", [""])[0].strip()
        if address and not address.startswith(tuple(self.sources)):
            raise ValueError(f"The repository must be at {' or '.join(self.sources)}")
        return {"repository": address} if address else {}

    def get_env(self):
        variables = {"REPOSITORY": self.user_options.get("repository", ""), "GIT_TERMINAL_PROMPT": "0"}
        return super().get_env() | variables

    async def start(self):
        command = self.cmd
        self.cmd = ["sh", "-c", CLONE, *command]
        try:
            return await super().start()
        finally:
            self.cmd = command


c = get_config()
c.JupyterHub.spawner_class = RepositorySpawner
c.JupyterHub.authenticator_class = "dummy"
