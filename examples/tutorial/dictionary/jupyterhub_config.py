"""A custom authenticator, exercise 1: passwords from a dictionary."""

import hmac

from jupyterhub.auth import Authenticator
from traitlets import Dict


class DictionaryAuthenticator(Authenticator):
    passwords = Dict(help="The password of each user.").tag(config=True)

    async def authenticate(self, handler, data):
        expected = self.passwords.get(data["username"], "")
        # In a time that does not tell how much of it was right.
        if expected and hmac.compare_digest(expected.encode(), data["password"].encode()):
            return data["username"]
        return None


c = get_config()
c.JupyterHub.authenticator_class = DictionaryAuthenticator
c.DictionaryAuthenticator.passwords = {"ada": "analytical engine", "grace": "flow-matic"}
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
