# Configuration file for jupyterhub.
c = get_config()  #noqa

c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "physics"
c.JupyterHub.spawner_class = "simple"
c.JupyterHub.ip = "127.0.0.1"
#: login = ada:physics
