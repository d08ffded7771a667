from dockerspawner import DockerSpawner
from jupyter_client.localinterfaces import public_ips

c = get_config()
c.JupyterHub.spawner_class = DockerSpawner
c.JupyterHub.confirm_no_ssl = True
c.JupyterHub.hub_ip = '0.0.0.0'
c.JupyterHub.hub_connect_ip = public_ips()[0] if public_ips() else '127.0.0.1'
c.DockerSpawner.container_image = 'jupyter/scipy-notebook'
c.DockerSpawner.remove_containers = True
c.DockerSpawner.extra_create_kwargs.update({'command': 'start-singleuser.sh --SingleUserNotebookApp.default_url=/lab'})
c.DockerSpawner.extra_host_config = {'network_mode': 'bridge'}
c.DockerSpawner.read_only_volumes = {'/srv/data': '/home/jovyan/data'}
c.DockerSpawner.volumes = {'jupyterhub-user-{username}': '/home/jovyan/work'}
c.JupyterHub.authenticator_class = 'dummy'
c.Authenticator.whitelist = whitelist = {'ada'}
#: needs = plug-ins
#: options = --JupyterHub.hub_connect_ip=127.0.0.1
#: login = ada:x
#: warns = jupyterhub_config.py:6: JupyterHub.confirm_no_ssl: deprecated: not used: plain HTTP needs no confirmation
#: warns = jupyterhub_config.py:16: Authenticator.whitelist: deprecated: it is now called allowed_users
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.ip
#: warns = jupyterhub_config.py:9: DockerSpawner.container_image: deprecated: use DockerSpawner.image
#: warns = jupyterhub_config.py:10: DockerSpawner.remove_containers: deprecated: use DockerSpawner.remove
#: check = deprecated DockerSpawner.container_image
#: check = deprecated DockerSpawner.remove_containers
#: check = deprecated JupyterHub.confirm_no_ssl
#: check = deprecated Authenticator.whitelist
