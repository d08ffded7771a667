import os

live = os.environ.get("LIVE", "/etc/letsencrypt/live/hub.example.org")
c.JupyterHub.ssl_key = live + "/privkey.pem"
c.JupyterHub.ssl_cert = live + "/fullchain.pem"
c.JupyterHub.port = 443
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "a password"
c.JupyterHub.spawner_class = "simple"
#: environ = LIVE=A_PAIR
#: options = --JupyterHub.ssl_key= --JupyterHub.ssl_cert=
#: login = ada:a password
#: check = unsafe JupyterHub.authenticator_class
#: check = unsafe JupyterHub.spawner_class
#: check = unsafe
