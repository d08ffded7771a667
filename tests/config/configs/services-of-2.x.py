import os
import sys
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.services = [
    {
        'name': 'whoami',
        'url': 'http://127.0.0.1:' + os.environ['WHOAMI_PORT'],
        'command': [sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', os.environ['WHOAMI_PORT']],
        'oauth_no_confirm': True,
        'oauth_roles': ['user'],
        'display': False,
    },
]
c.JupyterHub.load_roles = [
    {'name': 'user', 'scopes': ['self', 'access:services!service=whoami']},
]
#: environ = WHOAMI_PORT=FREE_PORT
#: login = ada:x
#: warns = jupyterhub_config.py:6: JupyterHub.services: service 'whoami': oauth_roles is deprecated: use oauth_client_allowed_scopes
#: check = deprecated JupyterHub.services
