# Nobody logs in: another application starts the servers over the API.
c.JupyterHub.authenticator_class = "null"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.hub_routespec = "/hub/api/"
c.JupyterHub.services = [{"name": "portal", "api_token": "0123456789abcdef0123456789abcdef"}]
c.JupyterHub.load_roles = [
    {"name": "portal", "scopes": ["admin:users", "admin:servers"], "services": ["portal"]},
]
#: login = none
#: warns = jupyterhub_config.py:5: JupyterHub.hub_routespec: not used by this version: the hub is the default route
#: check = unsafe
#: check = unused JupyterHub.hub_routespec
