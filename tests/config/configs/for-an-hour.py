c.JupyterHub.authenticator_class = 'tmp'
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.allow_named_servers = False
c.JupyterHub.redirect_to_server = False
c.JupyterHub.services = [
    {
        'name': 'cull-idle',
        'command': ['python3', '-m', 'jupyterhub_idle_culler', '--timeout=3600', '--cull-users'],
    }
]
c.JupyterHub.load_roles = [
    {
        'name': 'cull-idle',
        'services': ['cull-idle'],
        'scopes': ['list:users', 'read:users:activity', 'read:servers', 'delete:servers', 'admin:users'],
    }
]
#: needs = plug-ins handlers
#: login = any
