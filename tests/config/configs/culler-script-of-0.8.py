c = get_config()
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.spawner_class = 'simple'
c.JupyterHub.ip = '127.0.0.1'
c.JupyterHub.services = [
    {
        'name': 'cull-idle',
        'admin': True,
        'command': 'python3 cull_idle_servers.py --timeout=3600'.split(),
    }
]
#: login = ada:x
#: files = cull_idle_servers.py
#: warns = jupyterhub_config.py:5: JupyterHub.services: service 'cull-idle': admin is deprecated: name the service in a role of c.JupyterHub.load_roles
#: check = deprecated JupyterHub.services
#: check = deprecated JupyterHub.services
