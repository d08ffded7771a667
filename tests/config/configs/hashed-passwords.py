import hashlib
import hmac
import os

from traitlets import Dict
from jupyterhub.auth import Authenticator

SALT = b'campus'


def digest(password):
    return hashlib.pbkdf2_hmac('sha256', password.encode(), SALT, 1000).hex()


class HashedAuthenticator(Authenticator):
    hashes = Dict().tag(config=True)

    def authenticate(self, handler, data):
        wanted = self.hashes.get(data['username'], '')
        return data['username'] if hmac.compare_digest(digest(data['password']), wanted) else None


c.JupyterHub.authenticator_class = HashedAuthenticator
c.HashedAuthenticator.hashes.update({'ada': digest('secret')})
c.HashedAuthenticator.allow_all = True
c.JupyterHub.spawner_class = 'jupyterhub.spawner.SimpleLocalProcessSpawner'
c.JupyterHub.bind_url = 'http://127.0.0.1:%s' % os.environ.get('HUB_PORT', 8000)
#: login = ada:secret
