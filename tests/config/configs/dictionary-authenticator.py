from traitlets import Dict
from jupyterhub.auth import Authenticator


class DictionaryAuthenticator(Authenticator):
    passwords = Dict(config=True, help='dict of username:password for authentication')

    async def authenticate(self, handler, data):
        if self.passwords.get(data['username']) == data['password']:
            return data['username']


c = get_config()
c.JupyterHub.authenticator_class = DictionaryAuthenticator
c.DictionaryAuthenticator.passwords = {'ada': 'test-1', 'bob': 'test-2'}
c.Authenticator.allowed_users = {'ada', 'bob'}
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
#: login = bob:test-2
