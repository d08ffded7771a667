# As in the deployment repository for Docker: the hub in one container, users in theirs.
import os

c = get_config()  # noqa: F821

c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.DockerSpawner.image = os.environ["DOCKER_NOTEBOOK_IMAGE"]
network_name = os.environ["DOCKER_NETWORK_NAME"]
c.DockerSpawner.use_internal_ip = True
c.DockerSpawner.network_name = network_name
notebook_dir = os.environ.get("DOCKER_NOTEBOOK_DIR", "/home/jovyan/work")
c.DockerSpawner.notebook_dir = notebook_dir
c.DockerSpawner.volumes = {"jupyterhub-user-{username}": notebook_dir}
c.DockerSpawner.remove = True
c.DockerSpawner.debug = True

c.JupyterHub.hub_ip = "jupyterhub"
c.JupyterHub.hub_port = 8080
c.JupyterHub.cookie_secret_file = "/data/jupyterhub_cookie_secret"
c.JupyterHub.db_url = "sqlite:////data/jupyterhub.sqlite"

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = os.environ.get("HUB_PASSWORD", "compose")
c.Authenticator.allow_all = True
admin = os.environ.get("JUPYTERHUB_ADMIN")
if admin:
    c.Authenticator.admin_users = [admin]
#: needs = plug-ins
#: environ = DOCKER_NOTEBOOK_IMAGE=quay.io/jupyter/base-notebook:latest DOCKER_NETWORK_NAME=hub JUPYTERHUB_ADMIN=admin
#: options = --JupyterHub.hub_ip=127.0.0.1 --JupyterHub.db_url=sqlite:///hub.sqlite
#: options = --JupyterHub.cookie_secret_file=secret
#: login = ada:compose
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.ip
