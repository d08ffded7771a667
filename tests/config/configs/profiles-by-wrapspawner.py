c = get_config()
c.JupyterHub.spawner_class = 'wrapspawner.ProfilesSpawner'
c.Spawner.http_timeout = 120
c.ProfilesSpawner.profiles = [
    ('Here', 'local', 'jupyterhub.spawner.LocalProcessSpawner', {'ip': '0.0.0.0'}),
    ('Docker, Python 3', 'docker', 'dockerspawner.DockerSpawner', dict(image='jupyter/scipy-notebook')),
]
c.JupyterHub.authenticator_class = 'dummy'
c.JupyterHub.ip = '127.0.0.1'
#: needs = plug-ins
#: login = ada:x
#: check = contradiction JupyterHub.hub_ip
