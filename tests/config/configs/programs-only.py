# Nobody logs in: another application starts the servers over the API.
c.JupyterHub.authenticator_class = 'null'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.hub_routespec = '/hub/api/'
c.JupyterHub.services = [{'name': 'portal', 'api_token': '0123456789abcdef0123456789abcdef'}]
c.JupyterHub.load_roles = [
    {'name': 'portal', 'scopes': ['admin:users', 'admin:servers'], 'services': ['portal']},
]
#: login = none
#: check = unsafe
