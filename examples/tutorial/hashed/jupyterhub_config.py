"""A custom authenticator, exercise 2: salted hashes in a file, made by add_user.py; no password is kept."""

import json
from pathlib import Path

from jupyterhub.auth import Authenticator
from jupyterhub.utils import compare_token, hash_token
from traitlets import Unicode


class HashedAuthenticator(Authenticator):
    password_file = Unicode("passwords.json", help="Hashes of passwords, by user.").tag(config=True)

    # Compared with when nobody has the name, so that an unknown name takes as long as a wrong password.
    _nobody = hash_token("nobody")

    def authenticate(self, handler, data):
        # Read anew each time: whom add_user.py adds can sign in at once.
        file = Path(self.password_file)
        hashes = json.loads(file.read_text()) if file.exists() else {}
        known = hashes.get(data["username"])
        if compare_token(known or self._nobody, data["password"]) and known:
            return data["username"]
        return None


c = get_config()
c.JupyterHub.authenticator_class = HashedAuthenticator
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
